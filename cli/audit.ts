import { Command } from 'commander';
import pc from 'picocolors';
import { auditEvent } from '../operator/effects/audit.ts';
import { type Accuracy, isAccurate } from '../services/domain/accounting.ts';
import { SeckillError } from '../services/domain/errors.ts';
import { eventKeyOf } from '../services/domain/event.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { eventArgument } from './options.ts';
import { openPlatform } from './platform.ts';
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

Exit codes: 0 all six numbers are zero, 3 they are not, 1 the audit could not be made, 2 wrong options.

Examples:
  $ seckill audit shop/phone-x
  $ seckill audit shop/phone-x --json`;

export function auditCommand(): Command {
  return new Command('audit')
    .description('compares what buyers were told with the orders, and prints the six numbers of accuracy')
    .argument('<event>', 'NAMESPACE/NAME of the event', eventArgument)
    .addOption(stateOption())
    .option('--json', 'print the audit as JSON', false)
    .addHelpText('after', EXAMPLES)
    .action(audit);
}

async function audit(
  event: { namespace: string; name: string },
  options: { state: string; json: boolean },
): Promise<void> {
  const report = await makeAudit(event, options.state);
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : renderAudit(report));
  process.exitCode = report.accurate ? EXIT_CODES.OK : EXIT_CODES.NO;
}

async function makeAudit(event: { namespace: string; name: string }, stateDir: string): Promise<AuditReport> {
  const platform = await openPlatform(await requireEndpoints(stateDir));
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
  const counts = plainTable(['count', 'value']);
  for (const [name, value] of Object.entries(report.counts)) {
    counts.push([name, typeof value === 'object' ? JSON.stringify(value) : String(value)]);
  }
  return `${[
    pc.bold(`${report.event} (${report.eventId}), ${report.state}`),
    renderAccuracy(report.accuracy, pc),
    counts.toString(),
    ...report.findings.map((sentence) => `  - ${sentence}`),
    ...(report.settlement === undefined ? [] : ['', pc.bold('Settlement'), JSON.stringify(report.settlement, null, 2)]),
  ].join('\n')}\n`;
}
