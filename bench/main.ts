import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { createLog } from '../services/kit/log.ts';
import { findKafka, startKafka } from '../tools/servers/kafka.ts';
import { findMariadb, startMariadb } from '../tools/servers/mariadb.ts';
import { serverOptions } from '../tools/servers/options.ts';
import { findRedis, startRedis } from '../tools/servers/redis.ts';
import { benchAudit } from './audit.ts';
import { renderDocument } from './document.ts';
import type { Part } from './figure.ts';
import { benchOrder } from './order.ts';
import { CORES, OTHER_CORE, pin, unpin } from './pinned.ts';
import { benchRelay } from './relay.ts';
import { benchRoute } from './route.ts';
import { openBench } from './sale.ts';
import { benchScript } from './script.ts';

const PARTS = ['route', 'script', 'relay', 'order', 'audit'] as const;
type PartName = (typeof PARTS)[number];

const DOCUMENT = new URL('../docs/benchmarks.md', import.meta.url);
const CORES_NEEDED = 2;

const program = new Command('npm run -s bench --')
  .description('measures the hot paths against their baselines, in turn, in one run; writes docs/benchmarks.md')
  .addOption(new Option('--only <part>', 'one part, without writing the document').choices(PARTS))
  .option('--json', 'print { figures: [{ name, ratio: { median, min, max }, atLeast, reached }] }')
  .addHelpText(
    'after',
    '\nTakes about three minutes. Exit code 0: it was measured, whatever came out.\n\nExample: npm run -s bench -- --json',
  )
  .parse();
const { only, json } = program.opts<{ only?: PartName; json?: boolean }>();

const say = (line: string): void => {
  process.stderr.write(`bench: ${line}\n`);
};

if (CORES.length < CORES_NEEDED) {
  say('two cores are needed: one for the process that is measured, one for whoever asks it.');
  process.exit(1);
}

const log = createLog({ role: 'bench', instance: 'bench', level: 'silent' });
const options = serverOptions(process.env, say);
const folder = mkdtempSync(join(tmpdir(), 'seckill-bench-'));
const closing: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
const end = async (code: number): Promise<never> => {
  for (const close of closing.toReversed()) await close();
  process.exit(code);
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void end(130));

/** The servers of a part are started for it, so that none of them takes time from another part. */
async function run(part: PartName): Promise<Part> {
  say(`${part} …`);
  const redis = await startRedis(options);
  closing.push(() => redis.close());
  const bench = await openBench(redis.url, log);
  closing.push(() => bench.close());
  try {
    if (part === 'route') return await route(bench, redis);
    if (part === 'script') return await script(bench, redis.pid());
    const kafka = await startKafka(options);
    closing.push(() => kafka.close());
    if (part === 'relay') return await benchRelay({ bench, brokers: kafka.brokers, log });
    const mariadb = await startMariadb(options);
    closing.push(() => mariadb.close());
    if (part === 'audit') return await benchAudit({ bench, brokers: kafka.brokers, mysqlUrl: mariadb.url, log });
    return await benchOrder({ bench, brokers: kafka.brokers, mysqlUrl: mariadb.url, log });
  } finally {
    while (closing.length > 1) await closing.pop()?.();
  }
}

async function route(
  bench: Awaited<ReturnType<typeof openBench>>,
  redis: { url: string; pid(): number },
): Promise<Part> {
  const keysFile = join(folder, 'token-keys.json');
  const keys = { current: 'k1', keys: { k1: randomBytes(32).toString('base64') } };
  writeFileSync(keysFile, JSON.stringify(keys), { mode: 0o600 });
  pin(process.pid, OTHER_CORE);
  try {
    return await benchRoute({ bench, redisUrl: redis.url, redisPid: redis.pid(), keysFile, closing });
  } finally {
    unpin(process.pid);
  }
}

/** Redis has a core to itself here. */
async function script(bench: Awaited<ReturnType<typeof openBench>>, redisPid: number): Promise<Part> {
  pin(redisPid, OTHER_CORE);
  return benchScript(bench);
}

try {
  const parts: Part[] = [];
  for (const part of only === undefined ? PARTS : [only]) parts.push(await run(part));
  const figures = parts.flatMap((part) => part.figures);
  const details = parts.flatMap((part) => part.details);
  if (only === undefined) {
    const found = await Promise.all([findRedis(options), findKafka(options), findMariadb(options)]);
    const [redis, kafka, mariadb] = found.map(({ version }) => version) as [string, string, string];
    const versions = { Redis: redis, Kafka: kafka, MariaDB: mariadb };
    writeFileSync(DOCUMENT, renderDocument(figures, details, { versions, date: new Date() }));
    say('docs/benchmarks.md is written');
  }
  if (json === true) process.stdout.write(`${JSON.stringify({ figures }, null, 2)}\n`);
  else {
    const table = new Table({
      head: ['figure', 'ratio (lowest – highest)', 'at least', 'reached'],
      style: { head: [], border: [] },
    });
    for (const { name, ratio, atLeast, reached } of figures) {
      table.push([name, `${ratio.median} (${ratio.min} – ${ratio.max})`, atLeast, reached ? 'yes' : 'no']);
    }
    process.stdout.write(`${table.toString()}\n${details.map(({ what, value }) => `${what}: ${value}\n`).join('')}`);
  }
  await end(0);
} catch (error) {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  await end(1);
}
