import { Command } from 'commander';
import { Type } from 'typebox';
import { OPERATOR_VARIABLES } from '../operator/variables.ts';
import { loadConfig } from '../services/kit/config.ts';
import { namesServers, type ReadEnvironment, serversOf } from './environment.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { type ClusterOptions, clusterOptions, hasCluster, withCluster } from './kube/place.ts';
import { findRelease, runInOperator } from './kube/release.ts';
import { releaseNamespaceOption } from './options.ts';
import type { PreflightCheck } from './preflight/checks.ts';
import { advised } from './preflight/checks.ts';
import { checkCluster, checkPermissions, checkPoolSettings, type OperatorPlace } from './preflight/cluster.ts';
import { checkServers } from './preflight/servers.ts';
import { columns } from './status/table.ts';

const NOTES = `
Asks the servers that SECKILL_REDIS_URL, SECKILL_KAFKA_BROKERS and SECKILL_MYSQL_URL name (with their TLS and SASL
variables), and the cluster, where there is one. On a cluster with a release, and without those variables, it is run in the
operator's pod by kubectl exec: there it also asks what the operator may do, and of what it makes pods.

Exit codes: 0 nothing that blocks, 3 something blocks, 1 it could not be asked, 2 wrong options or variables.

Examples:
  $ kubectl seckill preflight
  $ kubectl exec -n seckill deploy/seckill-operator -- node cli/main.ts preflight`;

type PreflightOptions = ClusterOptions & { releaseNamespace?: string; json: boolean };

export function preflightCommand({ environment }: { environment: ReadEnvironment }): Command {
  const command = new Command('preflight').description(
    'checks that Redis, Kafka, the database and the cluster are as a sale needs them',
  );
  for (const option of clusterOptions().filter(({ long }) => long !== '--namespace')) command.addOption(option);
  return command
    .addOption(releaseNamespaceOption())
    .option('--json', 'print { "checks": [...] }', false)
    .addHelpText('after', NOTES)
    .action((options: PreflightOptions) => preflight(options, environment()));
}

async function preflight(options: PreflightOptions, env: NodeJS.ProcessEnv): Promise<void> {
  const cluster = hasCluster(options, env);
  const servers = !cluster || namesServers(env) ? serversOf(env) : undefined;
  if (cluster && servers === undefined) {
    const release = await withCluster(options, env, (client) => findRelease(client, options.releaseNamespace));
    if (release !== undefined) {
      process.exitCode = await runInOperator(release, ['preflight', ...(options.json ? ['--json'] : [])], options);
      return;
    }
  }
  const checks = [
    ...(servers === undefined ? [NOT_ASKED] : await checkServers(servers)),
    ...(cluster ? await clusterChecks(options, env) : []),
  ];
  process.stdout.write(options.json ? `${JSON.stringify({ checks }, null, 2)}\n` : render(checks));
  process.exitCode = checks.some((check) => check.blocking && !check.passed) ? EXIT_CODES.NO : EXIT_CODES.OK;
}

const NOT_ASKED = advised(
  'Servers',
  'not asked: there is no release in the cluster, and SECKILL_REDIS_URL, SECKILL_KAFKA_BROKERS, SECKILL_MYSQL_URL are not set',
);

async function clusterChecks(options: ClusterOptions, env: NodeJS.ProcessEnv): Promise<PreflightCheck[]> {
  const place = operatorPlace(env);
  return withCluster(options, env, async (client) => [
    ...(await checkCluster(client)),
    ...(place === undefined ? [] : [await checkPermissions(client, place)]),
    ...(place?.poolFile === undefined ? [] : [checkPoolSettings(place.poolFile)]),
  ]);
}

/** Present in the operator's pod. */
function operatorPlace(env: NodeJS.ProcessEnv): OperatorPlace | undefined {
  const config = loadConfig(Type.Object(OPERATOR_VARIABLES), env);
  const { SECKILL_NAMESPACE: namespace, SECKILL_TOKEN_SECRET: tokenSecret } = config;
  if (namespace === undefined || tokenSecret === undefined) return undefined;
  return {
    namespace,
    tokenSecret,
    watchNamespaces: config.SECKILL_WATCH_NAMESPACES?.split(',') ?? [],
    leaseName: config.SECKILL_LEASE_NAME,
    poolFile: config.SECKILL_POOL_FILE,
  };
}

function render(checks: readonly PreflightCheck[]): string {
  const rows = checks.map(({ name, blocking, passed, message }) => {
    return [name, passed ? 'passed' : blocking ? 'FAILED' : 'advice', message];
  });
  return columns([['CHECK', 'RESULT', 'WHAT WAS SEEN'], ...rows]);
}
