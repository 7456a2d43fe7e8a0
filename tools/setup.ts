import Table from 'cli-table3';
import { Command } from 'commander';
import { resolveKubernetes } from './kubernetes/resolve.ts';
import { serverOptions } from './servers/options.ts';
import { missingSentences, resolveServers } from './servers/resolve.ts';

const program = new Command('npm run -s setup --')
  .description("Fetches the servers that are missing into the user's cache, and says where each one is.")
  .option('--json', 'print the answer as JSON')
  .option(
    '--kubernetes',
    'also what the tests on Kubernetes need: its control plane, built once in up to ten minutes, and Helm',
  )
  .addHelpText(
    'after',
    `
Each server is looked for in this order: what you name, PATH, your cache (filled from Debian and Maven Central).
  SECKILL_REDIS_URL  SECKILL_MYSQL_URL  SECKILL_KAFKA_BROKERS    servers that run already
  SECKILL_REDIS_SERVER  SECKILL_MYSQL_SERVER  SECKILL_NGINX
  SECKILL_PROMETHEUS                                             programs
  SECKILL_KAFKA_HOME  JAVA_HOME  KUBEBUILDER_ASSETS              folders
  XDG_CACHE_HOME                                                 the cache is its folder seckill/ (else ~/.cache/seckill)

Exit codes: 0 everything is there, 1 something is missing.

Example: npm run -s setup -- --json`,
  )
  .parse();

const { json = false, kubernetes = false } = program.opts<{ json?: boolean; kubernetes?: boolean }>();
const servers = serverOptions(process.env);
const rows = [...(await resolveServers(servers)), ...(kubernetes ? await resolveKubernetes(servers) : [])];
const missing = missingSentences(rows);

if (json) {
  process.stdout.write(`${JSON.stringify({ node: process.versions.node, servers: rows }, null, 2)}\n`);
} else {
  const origin = { url: 'you named it', named: 'you named it', path: 'PATH', cache: 'your cache' };
  const table = new Table({ head: ['server', 'version', 'from', 'where'], style: { head: [], border: [] } });
  table.push(['Node', process.versions.node, '', process.execPath]);
  for (const row of rows) {
    if ('missing' in row) table.push([row.server, 'missing', '', '']);
    else table.push([row.server, row.version, origin[row.from], row.where]);
  }
  process.stdout.write(`${table.toString()}\n`);
  for (const sentence of missing) process.stderr.write(`seckill: ${sentence}\n`);
}
process.exitCode = missing.length > 0 ? 1 : 0;
