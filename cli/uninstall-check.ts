import { Command } from 'commander';
import type { SeckillEventObject } from '../operator/platform/kubernetes/seckill-events.ts';
import type { ReadEnvironment } from './environment.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { listEvents } from './kube/events.ts';
import { type ClusterOptions, clusterOptions, withCluster } from './kube/place.ts';
import { columns } from './status/table.ts';

const NOTES = `
An event that is not settled still needs the operator: its holds become orders, its audit is written and its finalizer is
taken off by nobody else. The chart runs this before "helm uninstall". Without -n it looks into the namespaces of
SECKILL_WATCH_NAMESPACES, or into all.

Exit codes: 0 nothing is left to settle (or --force), 3 there is, 1 the events could not be read, 2 wrong options.

Example:
  $ seckill uninstall-check --kubeconfig ~/.kube/config`;

export function uninstallCheckCommand({ environment }: { environment: ReadEnvironment }): Command {
  const command = new Command('uninstall-check').description(
    'says whether a cluster can do without the operator: whether every event is settled',
  );
  for (const option of clusterOptions()) command.addOption(option);
  return command
    .option('--force', 'list what stays, and say yes in any case', false)
    .option('--json', 'print { "unsettled": [...] }', false)
    .addHelpText('after', NOTES)
    .action((options: ClusterOptions & { force: boolean; json: boolean }) => check(options, environment()));
}

async function check(
  { force, json, ...options }: ClusterOptions & { force: boolean; json: boolean },
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const watched = env['SECKILL_WATCH_NAMESPACES']?.split(',').filter((name) => name !== '') ?? [];
  const namespaces = options.namespace === undefined ? watched : [options.namespace];
  const events = await withCluster(options, env, (client) => listEvents(client, namespaces));
  const unsettled = events.filter((event) => !mayBeLeft(event));
  if (json) process.stdout.write(`${JSON.stringify({ unsettled: unsettled.map(rowOf) }, null, 2)}\n`);
  else process.stdout.write(sentences(unsettled, force));
  process.exitCode = unsettled.length === 0 || force ? EXIT_CODES.OK : EXIT_CODES.NO;
}

/**
 * Settled and not on its way out. A sale that failed before it had stock has nothing to settle either, and one that
 * failed later is settled as soon as it says so. An operator that has not looked at an event yet says nothing of it, so
 * that it counts.
 */
function mayBeLeft({ metadata, status }: SeckillEventObject): boolean {
  if (metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length > 0) return false;
  if (status?.phase !== 'Failed') return status?.phase === 'Settled';
  const settled = status.conditions.some(({ type, status: holds }) => type === 'Settled' && holds === 'True');
  return settled || status.stockGeneration === undefined;
}

function rowOf({ metadata, status }: SeckillEventObject) {
  return {
    event: `${metadata.namespace}/${metadata.name}`,
    phase: status?.phase ?? 'Unknown',
    deleting: metadata.deletionTimestamp !== undefined,
    sold: status?.stock?.sold ?? 0,
    held: status?.stock?.held ?? 0,
  };
}

function sentences(unsettled: readonly SeckillEventObject[], force: boolean): string {
  if (unsettled.length === 0) return 'every event is settled\n';
  const rows = unsettled.map(rowOf).map(({ event, phase, deleting, sold, held }) => {
    return [event, deleting ? `${phase} (deleting)` : phase, String(sold), String(held)];
  });
  const table = columns([['EVENT', 'PHASE', 'SOLD', 'HELD'], ...rows]);
  const what = force
    ? 'These events are not settled. They stay as they are until an operator runs again:'
    : 'These events are not settled: wait until they are, close them, or uninstall with uninstall.force=true.\n' +
      'Helm calls the release "uninstalling" from now on; "helm rollback RELEASE" makes it whole again:';
  return `${what}\n${table}`;
}
