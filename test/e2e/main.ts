import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { clusterLeftovers, startCluster, stopCluster } from '../../tools/cluster/cluster.ts';
import { clusterPlace } from '../../tools/cluster/place.ts';
import { messageOf } from '../../tools/servers/errors.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { busySale } from './busy-sale.ts';
import { createTools, type Tools } from './commands.ts';
import { type Connections, watchConnections } from './connections.ts';
import { firstSale } from './first-sale.ts';
import { KILL_AFTER_MS } from './limits.ts';
import { install, loadImage, makeNamespace, NAMESPACE, type Servers, startServers } from './platform.ts';
import { prepare } from './prepare.ts';
import { expectThat, type Run } from './run.ts';
import { leadSeconds } from './sale.ts';
import { createSteps } from './steps.ts';

// The platform on a real cluster of one node, from nothing and back to nothing. Needs root.

const print = (line: string) => process.stdout.write(`${line}\n`);
const options = serverOptions(process.env, (line) => print(`     ${line}`));
const place = clusterPlace(options.cacheFolder());
const steps = createSteps(print);
const TAG = 'e2e';
const NEXT_TAG = 'e2e-next';
let tools: Tools | undefined;
let servers: Servers | undefined;
let connections: Connections | undefined;
let installedInMs = 0;

const made = <T>(thing: T | undefined): T => {
  if (thing === undefined) throw new Error('a step before this one made nothing');
  return thing;
};

const run: Run = {
  options,
  place,
  steps,
  watches: new Map(),
  tools: () => made(tools),
  servers: () => made(servers),
  connections: () => made(connections),
};

const expectNothingLeft = async (): Promise<void> => {
  const left = await clusterLeftovers(options);
  expectThat(left.length === 0, `left:\n${left.join('\n')}`);
};

/** Starts the cluster by its command, and kills that in the middle. */
const killedStart = async (afterMs: number): Promise<void> => {
  const main = join(import.meta.dirname, '../../tools/cluster/main.ts');
  const child = spawn(process.execPath, [main, 'up'], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await Promise.race([delay(afterMs), ended]);
  child.kill('SIGKILL');
  await ended;
};

const setUp = async (): Promise<void> => {
  const { step } = steps;
  await step('what the run needs is in the cache', () => prepare(options));
  await step('a cluster whose command was killed leaves nothing after down', async () => {
    await stopCluster(options);
    for (const afterMs of KILL_AFTER_MS) {
      await killedStart(afterMs);
      await stopCluster(options);
      await expectNothingLeft();
    }
    return undefined;
  });
  await step('the cluster is up, with a Ready node, DNS and metrics', async () => {
    const { kubeconfigFile } = await startCluster(options);
    tools = await createTools(options, { kubeconfigFile, home: join(place.dir, 'home'), helmMajor: 4 });
    return tools.kubectl('get', 'nodes', '-o', 'wide');
  });
  await Promise.all([
    step('the image is built without Docker and imported into the node, under two tags', async () => {
      await loadImage(options, place, [TAG, NEXT_TAG]);
      return undefined;
    }),
    step('Redis, Kafka and MariaDB answer in the network of the cluster', async () => {
      servers = await startServers(place);
      return JSON.stringify(servers);
    }),
  ]);
  await step('helm install: migrations are made and every pod is Ready, under Pod Security "restricted"', async () => {
    await makeNamespace(run.tools());
    connections = watchConnections(run.tools(), place);
    const startMs = performance.now();
    await install(run.tools(), place, run.servers(), TAG);
    installedInMs = performance.now() - startMs;
    return run.tools().kubectl('-n', NAMESPACE, 'get', 'pods');
  });
};

/** What an engineer would look at first. */
const explain = async (kubectl: Tools['kubectl']): Promise<void> => {
  const logs = ['-n', NAMESPACE, 'logs', '--all-containers', '--prefix', '--tail=25', '--ignore-errors'];
  const looks: string[][] = [
    ['get', 'pods,deployments,hpa,jobs', '-A', '-o', 'wide'],
    ['get', 'ske', '-A', '-o', 'yaml'],
    ['get', 'events', '-A', '--sort-by=.lastTimestamp'],
    ...['operator', 'edge', 'relay', 'order', 'pool', 'migrate', 'uninstall-check'].map((component) => [
      ...logs,
      ...['-l', `app.kubernetes.io/component=${component}`],
    ]),
  ];
  for (const look of looks) {
    print(`---- kubectl ${look.join(' ')}`);
    print(await kubectl(...look).catch(messageOf));
  }
};

const cleanUp = async (): Promise<void> => {
  connections?.end();
  for (const watch of run.watches.values()) watch.end();
  if (steps.failed() && tools !== undefined) await explain(tools.kubectl);
  await steps.always('the cluster is down, and nothing of it is left', async () => {
    await stopCluster(options);
    await expectNothingLeft();
    return undefined;
  });
};

if (process.getuid?.() !== 0) {
  print('The run on a real cluster needs root, for its namespaces and cgroups: run it with sudo, or as root.');
  print('0 passed, 1 failed, 0 skipped');
  process.exitCode = 1;
} else {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void stopCluster(options).finally(() => process.exit(130)));
  }
  await setUp();
  await firstSale(run, leadSeconds(installedInMs));
  await busySale(run, NEXT_TAG);
  await cleanUp();
  print(steps.summary());
  process.exitCode = steps.failed() ? 1 : 0;
}
