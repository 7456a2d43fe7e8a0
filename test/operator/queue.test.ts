import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { createKeyQueue, type Requeue } from '../../operator/queue.ts';
import { eventually } from '../support/eventually.ts';

const log = pino({ level: 'silent' });

/** Work that ends when the test says so. */
function heldWork() {
  const begun: string[] = [];
  const ends = new Map<string, (requeue: Requeue) => void>();
  return {
    begun,
    work: (key: string) => {
      begun.push(key);
      return new Promise<Requeue>((resolve) => ends.set(key, resolve));
    },
    end: (key: string, requeue: Requeue = {}) => ends.get(key)?.(requeue),
  };
}

describe('the queue of keys', () => {
  test('has one worker a key, and brings a key once more that was added meanwhile, however often', async () => {
    const held = heldWork();
    const queue = createKeyQueue({ work: held.work, log });
    for (let i = 0; i < 5; i += 1) queue.add('a');
    await eventually(() => expect(held.begun).toEqual(['a']));
    queue.add('a');
    queue.add('a');
    expect(held.begun).toEqual(['a']);
    held.end('a');
    await eventually(() => expect(held.begun).toEqual(['a', 'a']));
    held.end('a');
    await queue.stop();
    expect(held.begun).toEqual(['a', 'a']);
  });

  test('works on several keys at once, but not on more than its workers', async () => {
    const held = heldWork();
    const queue = createKeyQueue({ work: held.work, log, workers: 2 });
    for (const key of ['a', 'b', 'c']) queue.add(key);
    await eventually(() => expect(held.begun).toEqual(['a', 'b']));
    held.end('b');
    await eventually(() => expect(held.begun).toEqual(['a', 'b', 'c']));
    for (const key of ['a', 'c']) held.end(key);
    await queue.stop();
  });

  test('comes again when the work asked for it', async () => {
    let times = 0;
    const queue = createKeyQueue({
      work: async () => {
        times += 1;
        return times < 3 ? { afterMs: 1 } : {};
      },
      log,
    });
    queue.add('a');
    await eventually(() => expect(times).toBe(3));
    await queue.stop();
  });

  test('waits longer after each failure of a key, and not for others', async () => {
    const atMs: number[] = [];
    let others = 0;
    const queue = createKeyQueue({
      work: async (key) => {
        if (key === 'good') {
          others += 1;
          return {};
        }
        atMs.push(performance.now());
        throw new Error('it fails always');
      },
      log,
    });
    queue.add('bad');
    await eventually(() => expect(atMs.length).toBeGreaterThanOrEqual(3));
    const [first = 0, second = 0, third = 0] = atMs;
    expect(second - first).toBeGreaterThanOrEqual(195);
    expect(third - second).toBeGreaterThanOrEqual(395);
    queue.add('good');
    await eventually(() => expect(others).toBe(1));
    await queue.stop();
  });

  test('begins nothing after its stop, and waits for the work in hand', async () => {
    const held = heldWork();
    const queue = createKeyQueue({ work: held.work, log });
    queue.add('a');
    await eventually(() => expect(held.begun).toEqual(['a']));
    let stopped = false;
    const stopping = queue.stop().then(() => {
      stopped = true;
    });
    queue.add('b');
    await Promise.resolve();
    expect(stopped).toBe(false);
    held.end('a', { afterMs: 0 });
    await stopping;
    expect(held.begun).toEqual(['a']);
  });
});
