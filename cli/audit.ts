import { Command } from 'commander';

import { auditEvent } from '../operator/effects/audit.ts';
import { type Accuracy, isAccurate } from '../services/domain/accounting.ts';
import { SeckillError } from '../services/domain/errors.ts';
import { eventKeyOf } from '../services/domain/event.ts';
import { colorsOf } from './colors.ts';
import { type Around, serversOf } from './environment.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { type ClusterOptions, clusterOptions, inNamespace, meansCluster, withCluster } from './kube/place.ts';
import { requireRelease, runInOperator } from './kube/release.ts';
import { eventArgument, releaseNamespaceOption } from './options.ts';
import { openPlatform, openServers, type Platform } from './platform.ts';
import { findingSentence } from './report/judge-sale.ts';
import { plainTable, renderAccuracy } from './report/render.ts';
import { requireEndpoints, stateOption } from './state.ts';

/** What `seckill audit --json` prints. */
interface AuditReport {
  event: string;
  eventId: string;
  /** The ledger's word: warming, warmed, recovering, settled. */
  state: string;
  accurate: boolean;
  /** Whether all that was told had reached the ledger, so that nothing was left out as still under way. */
  complete: boolean;
  accuracy: Accuracy;
  counts: object;
  findings: string[];
  /** What was written when the sale was settled; absent before. */
  settlement?: object;
}

const EXAMPLES = `
Compares Redis, its journal and the ledger, reservation by reservation. All six numbers are zero when a sale is accurate.
It may run at any time; what is still on its way through Kafka is not held against anybody.

On a cluster it is made in the operator's pod, by kubectl exec.

Exit codes: 0 all six numbers are zero, 3 they are not, 1 the audit could not be made, 2 wrong options.

Examples:
  $ seckill audit shop/phone-x
  $ seckill audit shop/phone-x --json
  $ kubectl seckill audit shop/phone-x`;

type AuditOptions = ClusterOptions & { state: string; fromEnv: boolean; releaseNamespace?: string; json: boolean };
type EventName = { namespace: string; name: string };

export function auditCommand(around: Around): Command {
  const command = new Command('audit')
    .description('compares what buyers were told with the orders, and prints the six numbers of accuracy')
    .argument('<event>', 'NAMESPACE/NAME of the event', eventArgument)
    .addOption(stateOption());
  for (const option of clusterOptions()) command.addOption(option);
  return command
    .addOption(releaseNamespaceOption())
    .option('--from-env', 'ask the servers that SECKILL_REDIS_URL and its like name, as in a pod', false)
    .option('--json', 'print the audit as JSON', false)
    .addHelpText('after', EXAMPLES)
    .action((event: EventName, options: AuditOptions, self: Command) => {
      const stateGiven = self.getOptionValueSource('state') === 'cli';
      if (options.fromEnv) return audit(event, openServers(serversOf(around.environment())), options);
      if (meansCluster(options, around, stateGiven)) return auditInside(inNamespace(event, options), options, around);
      return audit(event, requireEndpoints(options.state).then(openPlatform), options);
    });
}

/** By the operator, who can reach the servers and has their passwords. */
async function auditInside(event: EventName, options: AuditOptions, { environment }: Around): Promise<void> {
  const release = await withCluster(options, environment(), (client) =>
    requireRelease(client, options.releaseNamespace),
  );
  const args = ['audit', '--from-env', eventKeyOf(event), ...(options.json ? ['--json'] : [])];
  process.exitCode = await runInOperator(release, args, options);
}

async function audit(event: EventName, opening: Promise<Platform>, options: { json: boolean }): Promise<void> {
  const report = await makeAudit(event, await opening);
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : renderAudit(report));
  process.exitCode = report.accurate ? EXIT_CODES.OK : EXIT_CODES.NO;
}

async function makeAudit(event: EventName, platform: Platform): Promise<AuditReport> {
  try {
    const row = await platform.ledger.events.latest(event.namespace, event.name);
    if (row === undefined) {
      const sentence = `The ledger knows no event ${eventKeyOf(event)}: see "seckill status".`;
      throw new SeckillError('SECKILL_ERR_EVENT_UNKNOWN', sentence);
    }
    const settlement = await platform.ledger.events.settlement(row.eventId);
    const { accuracy, counts, findings, complete } = await auditEvent(
      { ...platform, event: row },
      { settled: row.state === 'settled' },
    );
    return {
      event: eventKeyOf(event),
      eventId: row.eventId,
      state: row.state,
      accurate: isAccurate(accuracy),
      complete,
      accuracy,
      counts,
      findings: findings.map(findingSentence),
      ...(settlement === undefined ? {} : { settlement }),
    };
  } finally {
    await platform.close();
  }
}

function renderAudit(report: AuditReport): string {
  const colors = colorsOf(process.stdout);
  const counts = plainTable(['count', 'value']);
  for (const [name, value] of Object.entries(report.counts)) {
    counts.push([name, typeof value === 'object' ? JSON.stringify(value) : String(value)]);
  }
  return `${[
    colors.bold(`${report.event} (${report.eventId}), ${report.state}`),
    renderAccuracy(report.accuracy, colors),
    counts.toString(),
    ...report.findings.map((sentence) => `  - ${sentence}`),
    ...(report.settlement === undefined
      ? []
      : ['', colors.bold('Settlement'), JSON.stringify(report.settlement, null, 2)]),
  ].join('\n')}\n`;
}
