import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import type { SeckillEvent } from '../operator/api/seckill-event.ts';
import type { StoredNotice } from '../operator/platform/host/notices.ts';
import { operatorLives, readEventNotices, readEvents } from '../operator/platform/host/state.ts';
import { SeckillError } from '../services/domain/errors.ts';
import { eventKeyOf } from '../services/domain/event.ts';
import type { Around } from './environment.ts';
import { clusterEvents } from './kube/events.ts';
import { type ClusterOptions, clusterOptions, inNamespace, meansCluster, withCluster } from './kube/place.ts';
import { eventArgument } from './options.ts';
import { abortOnSignals } from './signals.ts';
import { noPlatform, stateOption } from './state.ts';
import { STATUS_POLL_MS } from './status/limits.ts';
import { eventDetails, statusTable } from './status/table.ts';

interface StatusOptions extends ClusterOptions {
  state: string;
  watch: boolean;
  json: boolean;
}

/** Where events are read from: a platform on this machine, or a cluster. */
interface EventSource {
  /** For messages: `in the folder .seckill`. */
  where: string;
  /** A sentence when nobody keeps the events up to date. */
  stale(): Promise<string | undefined>;
  list(): Promise<SeckillEvent[]>;
  notices(key: string): Promise<StoredNotice[]>;
}

const NOTES = `
STOCK is the total, SOLD the units of live orders, HELD those on their way to the ledger; DRIFT is 0 when the stock adds up.

As "kubectl seckill status", or with --kubeconfig, --context or -n, the events of a cluster are shown; so they are where
KUBECONFIG is set and no platform runs on the folder .seckill.

Exit codes: 0 shown, 1 there is no such event, 2 wrong options.

Examples:
  $ seckill status
  $ seckill status shop/phone-x          conditions, checks and notices of one event
  $ seckill status -w                    prints again when something changed, until Ctrl-C
  $ seckill status shop/phone-x --json
  $ kubectl seckill status -n shop       those of one namespace of a cluster`;

export function statusCommand(around: Around): Command {
  const command = new Command('status')
    .description('shows the events of a platform on this machine, or of a cluster')
    .argument('[event]', 'NAMESPACE/NAME of one event', eventArgument)
    .addOption(stateOption());
  for (const option of clusterOptions()) command.addOption(option);
  return command
    .option('-w, --watch', 'go on until Ctrl-C', false)
    .option('--json', 'print JSON: a list, or the one event with its notices', false)
    .addHelpText('after', NOTES)
    .action((event: { namespace: string; name: string } | undefined, options: StatusOptions, self: Command) => {
      const stateGiven = self.getOptionValueSource('state') === 'cli';
      if (!meansCluster(options, around, stateGiven)) return show(event, options, hostSource(options.state));
      return withCluster(options, around.environment(), (client) => {
        const source = {
          where: 'in the cluster',
          stale: async () => undefined,
          ...clusterEvents(client, options.namespace),
        };
        return show(inNamespace(event, options), options, source);
      });
    });
}

const hostSource = (state: string): EventSource => ({
  where: `in the folder ${state}`,
  stale: async () => ((await operatorLives(state)) ? undefined : noPlatform(state)),
  list: () => readEvents(state),
  notices: (key) => readEventNotices(state, key),
});

async function show(
  event: { namespace: string; name: string } | undefined,
  options: StatusOptions,
  source: EventSource,
): Promise<void> {
  using stopping = abortOnSignals();
  const key = event === undefined ? undefined : eventKeyOf(event);
  const stale = await source.stale();
  if (stale !== undefined && !options.json) process.stderr.write(`${stale}\n`);
  let before = '';
  do {
    // Ages change each second without anything having happened.
    const { text, compared } = await render(key, options, source);
    if (compared !== before) process.stdout.write(before === '' ? text : `\n${text}`);
    before = compared;
    if (options.watch) await delay(STATUS_POLL_MS, undefined, { signal: stopping.signal }).catch(() => {});
  } while (options.watch && !stopping.signal.aborted);
}

async function render(
  key: string | undefined,
  options: StatusOptions,
  source: EventSource,
): Promise<{ text: string; compared: string }> {
  const events = await source.list();
  const shown = key === undefined ? events : events.filter(({ metadata }) => eventKeyOf(metadata) === key);
  const [one] = shown;
  if (key === undefined) {
    const text = options.json ? `${JSON.stringify(shown, null, 2)}\n` : statusTable(shown, Date.now());
    return { text, compared: JSON.stringify(shown) };
  }
  if (one === undefined) {
    throw new SeckillError('SECKILL_ERR_EVENT_UNKNOWN', `There is no event ${key} ${source.where}.`);
  }
  const notices = await source.notices(key);
  const json = { ...one, notices };
  const text = options.json ? `${JSON.stringify(json, null, 2)}\n` : eventDetails(one, notices, Date.now());
  return { text, compared: JSON.stringify(json) };
}
