import { expect, it } from 'vitest';
import { createHealth } from '../../services/kit/health.ts';

it('a process is ready when all that it named is, and says by name what is not', () => {
  const health = createHealth();
  expect(health.ready()).toEqual({ ready: false, reasons: ['the process is starting'] });
  health.setReady('redis', false, 'there is no connection');
  health.setReady('kafka', false);
  expect(health.ready()).toEqual({ ready: false, reasons: ['redis: there is no connection', 'kafka: not ready'] });
  health.setReady('redis', true);
  health.setReady('kafka', true);
  expect(health.ready()).toEqual({ ready: true, reasons: [] });
  health.setReady('redis', false, 'again');
  expect(health.ready()).toEqual({ ready: false, reasons: ['redis: again'] });
  expect(health.live()).toBe(true);
});
