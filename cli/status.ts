import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import type { SeckillEvent } from '../operator/api/seckill-event.ts';
import { readEventNotices, readEvents } from '../operator/platform/host/state.ts';
import { SeckillError } from '../services/domain/errors.ts';
import { eventArgument } from './options.ts';
import { abortOnSignals } from './signals.ts';
import { stateOption } from './state.ts';
import { STATUS_POLL_MS } from './status/limits.ts';
import { eventDetails, statusTable } from './status/table.ts';

interface StatusOptions {
  state: string;
  watch: boolean;
  json: boolean;
}

const NOTES = `
STOCK is the total, SOLD the units of live orders, HELD those on their way to the ledger; DRIFT is 0 when the stock adds up.

Exit codes: 0 shown, 1 there is no such event, 2 wrong options.

Examples:
  $ seckill status
  $ seckill status shop/phone-x          conditions, checks and notices of one event
  $ seckill status -w                    prints again when something changed, until Ctrl-C
  $ seckill status shop/phone-x --json`;

export function statusCommand(): Command {
  return new Command('status')
    .description('shows the events of a platform on this machine')
    .argument('[event]', 'NAMESPACE/NAME of one event', eventArgument)
    .addOption(stateOption())
    .option('-w, --watch', 'go on until Ctrl-C', false)
    .option('--json', 'print JSON: a list, or the one event with its notices', false)
    .addHelpText('after', NOTES)
    .action(show);
}

async function show(event: { namespace: string; name: string } | undefined, options: StatusOptions): Promise<void> {
  using stopping = abortOnSignals();
  const key = event === undefined ? undefined : `${event.namespace}/${event.name}`;
  let before = '';
  do {
    // Ages change each second without anything having happened.
    const { text, compared } = await render(key, options);
    if (compared !== before) process.stdout.write(before === '' ? text : `\n${text}`);
    before = compared;
    if (options.watch) await delay(STATUS_POLL_MS, undefined, { signal: stopping.signal }).catch(() => {});
  } while (options.watch && !stopping.signal.aborted);
}

async function render(key: string | undefined, options: StatusOptions): Promise<{ text: string; compared: string }> {
  const events = await readEvents(options.state);
  const shown = key === undefined ? events : events.filter((event) => keyOf(event) === key);
  const [one] = shown;
  if (key === undefined) {
    const text = options.json ? `${JSON.stringify(shown, null, 2)}\n` : statusTable(shown, Date.now());
    return { text, compared: JSON.stringify(shown) };
  }
  if (one === undefined) {
    const message = `There is no event ${key} in the folder ${options.state}.`;
    throw new SeckillError('SECKILL_ERR_EVENT_UNKNOWN', message);
  }
  const notices = await readEventNotices(options.state, key);
  const json = { ...one, notices };
  const text = options.json ? `${JSON.stringify(json, null, 2)}\n` : eventDetails(one, notices, Date.now());
  return { text, compared: JSON.stringify(json) };
}

function keyOf({ metadata }: SeckillEvent): string {
  return `${metadata.namespace}/${metadata.name}`;
}
