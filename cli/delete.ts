import { Command } from 'commander';
import { ABANDON_ANNOTATION } from '../operator/api/annotations.ts';
import { createObjectStore } from '../operator/platform/host/object-store.ts';
import { operatorLives } from '../operator/platform/host/state.ts';
import { stateFolder } from '../operator/platform/host/state-folder.ts';
import { SeckillError } from '../services/domain/errors.ts';
import { eventKeyOf } from '../services/domain/event.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { eventArgument } from './options.ts';
import { noPlatform, stateOption } from './state.ts';
import { DELETE_POLL_MS, DELETE_WAIT_MAX_MS } from './status/limits.ts';

interface DeleteOptions {
  state: string;
  abandon: boolean;
  wait: boolean;
  json: boolean;
}

const NOTES = `
A sale that is deleted is closed at once; its orders are settled, and only then it is gone. An event that was settled is
not sold again under the same startTime. --abandon lets it go without a settlement.

Exit codes: 0 gone, 1 there is no such event, or no platform that would settle it, 2 wrong options, 3 still under way (with --no-wait, or after 5 minutes).

Examples:
  $ seckill delete shop/phone-x
  $ seckill delete shop/phone-x --no-wait`;

export function deleteCommand(): Command {
  return new Command('delete')
    .description('ends an event: closes its sale, settles it, removes it')
    .argument('<event>', 'NAMESPACE/NAME of the event', eventArgument)
    .addOption(stateOption())
    .option('--abandon', 'let it go without settling its orders', false)
    .option('--no-wait', 'do not wait until it is gone')
    .option('--json', 'print the outcome as JSON', false)
    .addHelpText('after', NOTES)
    .action(remove);
}

async function remove(event: { namespace: string; name: string }, options: DeleteOptions): Promise<void> {
  const { state, abandon, wait, json } = options;
  const key = eventKeyOf(event);
  const store = createObjectStore(stateFolder(state).events);
  const object = await store.get(key);
  if (object === undefined) {
    throw new SeckillError('SECKILL_ERR_EVENT_UNKNOWN', `There is no event ${key} in the folder ${state}.`);
  }
  if (wait && object.metadata.finalizers.length > 0 && !(await operatorLives(state))) {
    const sentence = `${noPlatform(state)} With --no-wait it goes when one runs again.`;
    throw new SeckillError(
      'SECKILL_ERR_UNAVAILABLE',
      `${key} is left as it is, because nobody would settle it. ${sentence}`,
    );
  }
  if (abandon) await store.annotate(key, ABANDON_ANNOTATION, 'true');
  let outcome = await store.delete(key, Date.now());
  const untilMs = performance.now() + (wait ? DELETE_WAIT_MAX_MS : 0);
  while (outcome === 'deleting' && performance.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, DELETE_POLL_MS));
    if ((await store.get(key)) === undefined) outcome = 'gone';
  }
  if (json) process.stdout.write(`${JSON.stringify({ event: key, outcome })}\n`);
  else process.stdout.write(outcome === 'gone' ? `${key} is gone\n` : `${key} is being settled, then it goes\n`);
  process.exitCode = outcome === 'gone' ? EXIT_CODES.OK : EXIT_CODES.NO;
}
