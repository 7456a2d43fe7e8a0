import assert from 'node:assert/strict';
import { Type } from 'typebox';
import { runProcess } from '../../services/kit/run.ts';

/** A process that does nothing but what run.test.ts asks of it. */
await runProcess({
  role: 'test',
  schema: Type.Object({
    BREAK: Type.Optional(Type.String()),
    PASSES: Type.Integer({ default: 0 }),
  }),
  async start({ config, log, faults }) {
    if (config.BREAK === 'start') throw new Error('the port is taken');
    for (let pass = 0; pass < config.PASSES; pass += 1) {
      log.info('passing');
      faults.at('seckill.before-reserve');
    }
    setTimeout(() => {
      if (config.BREAK === 'assertion') assert(1 + 1 === Number('3'), 'one and one is three');
      if (config.BREAK === 'exception') throw new Error('thrown by a timer');
      if (config.BREAK === 'rejection') void Promise.reject(new Error('caught by nobody'));
    }, 20);
    const alive = setInterval(() => {}, 1_000);
    return {
      async stop() {
        clearInterval(alive);
        log.info('the work is done');
      },
    };
  },
});
