import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { startCluster, stopCluster } from '../../tools/cluster/cluster.ts';
import { clusterPlace, LINK } from '../../tools/cluster/place.ts';
import { messageOf } from '../../tools/servers/errors.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { createTools, type Tools, until, type Watch } from './commands.ts';
import {
  BUYERS,
  ENDED_TIMEOUT_MS,
  LEAD_SECONDS,
  PODS_GONE_TIMEOUT_MS,
  SETTLED_TIMEOUT_MS,
  UNINSTALL_TIMEOUT_SECONDS,
} from './limits.ts';
import {
  install,
  type LoadOutcome,
  loadImage,
  NAMESPACE,
  playBuyers,
  RELEASE,
  type Servers,
  startServers,
} from './platform.ts';
import { type SaleOfRun, saleSoon } from './sale.ts';
import { createSteps } from './steps.ts';

// A whole sale on a real cluster of one node, from nothing and back to nothing. Needs root; see CONTRIBUTING.md.

const print = (line: string) => process.stdout.write(`${line}\n`);
const options = serverOptions(process.env, (line) => print(`     ${line}`));
const place = clusterPlace(options.cacheFolder());
const TAG = 'e2e';

interface Status {
  phase?: string;
  accuracy?: Record<string, number>;
  stock?: Record<string, number>;
}

interface Pool {
  items: { spec: { replicas: number }; status: { readyReplicas?: number } }[];
}

const readStatus = async (tools: Tools, sale: SaleOfRun): Promise<Status> => {
  const json = await tools.kubectl('-n', sale.namespace, 'get', 'ske', sale.name, '-o', 'json');
  return (JSON.parse(json) as { status?: Status }).status ?? {};
};

const readyPods = async (tools: Tools): Promise<number> => {
  const selector = ['-l', 'app.kubernetes.io/component=pool'];
  const json = await tools.kubectl('-n', NAMESPACE, 'get', 'deployments', ...selector, '-o', 'json');
  return (JSON.parse(json) as Pool).items.reduce((sum, { status }) => sum + (status.readyReplicas ?? 0), 0);
};

const ordersOf = async (url: string): Promise<{ state: string; orders: number; units: number }[]> => {
  const connection = await createConnection({ uri: url, decimalNumbers: true });
  try {
    const [rows] = await connection.query(
      'SELECT state, COUNT(*) AS orders, SUM(units) AS units FROM orders GROUP BY state',
    );
    return rows as { state: string; orders: number; units: number }[];
  } finally {
    await connection.end();
  }
};

const expectThat = (holds: boolean, otherwise: string): void => {
  if (!holds) throw new Error(otherwise);
};

/** What an engineer would look at first. */
const explain = async (tools: Tools, sale: SaleOfRun | undefined): Promise<void> => {
  const looks: string[][] = [
    ['get', 'pods,deployments,hpa,jobs', '-A', '-o', 'wide'],
    ['get', 'ske', '-A', '-o', 'yaml'],
    ['get', 'events', '-A', '--sort-by=.lastTimestamp'],
    ...(sale === undefined ? [] : [['-n', sale.namespace, 'describe', 'ske', sale.name]]),
    ...['operator', 'edge', 'relay', 'order', 'pool', 'migrate'].map((component) => [
      ...['-n', NAMESPACE, 'logs', '--all-containers', '--prefix', '--tail=25', '--ignore-errors'],
      ...['-l', `app.kubernetes.io/component=${component}`],
    ]),
  ];
  for (const look of looks) {
    print(`---- kubectl ${look.join(' ')}`);
    print(await tools.kubectl(...look).catch(messageOf));
  }
};

const steps = createSteps(print);
const { step, always } = steps;
let tools: Tools | undefined;
let servers: Servers | undefined;
let sale: SaleOfRun | undefined;
let outcome: LoadOutcome | undefined;
const watches: Record<string, Watch> = {};

/** What a step before has made; steps are skipped after a failure, so it is there. */
const made = <T>(thing: T | undefined): T => {
  if (thing === undefined) throw new Error('a step before this one made nothing');
  return thing;
};

const run = async (): Promise<void> => {
  await step('the cluster is up, with a Ready node, DNS and metrics', async () => {
    const { kubeconfigFile } = await startCluster(options);
    tools = await createTools(options, { kubeconfigFile, home: join(place.dir, 'home'), helmMajor: 4 });
    return tools.kubectl('get', 'nodes', '-o', 'wide');
  });
  await step('the image is built without Docker and imported into the node', async () => {
    await loadImage(options, place, TAG);
    return undefined;
  });
  await step('Redis, Kafka and MariaDB answer in the network of the cluster', async () => {
    servers = await startServers(place);
    return JSON.stringify(servers);
  });
  await step('helm install: migrations are made and every pod is Ready, under Pod Security "restricted"', async () => {
    await install(made(tools), place, made(servers), TAG);
    return made(tools).kubectl('-n', NAMESPACE, 'get', 'pods');
  });
  await step('kubectl apply: the event is accepted', async () => {
    sale = saleSoon(Date.now());
    const file = join(place.dir, 'event.json');
    writeFileSync(file, JSON.stringify(sale.manifest));
    await made(tools).kubectl('create', 'namespace', sale.namespace);
    watches['ske'] = made(tools).watch('-n', sale.namespace, 'get', 'ske', '-w');
    watches['deployments'] = made(tools).watch('-n', NAMESPACE, 'get', 'deployments', '-w');
    return made(tools).kubectl('apply', '-f', file);
  });
  await step('kubectl wait: the event is armed before it opens', async () => {
    const { namespace, name, startMs } = made(sale);
    const said = await made(tools).kubectl(
      ...['-n', namespace, 'wait', '--for=condition=Armed', `ske/${name}`, `--timeout=${LEAD_SECONDS}s`],
    );
    expectThat(Date.now() < startMs, 'it was armed only after the opening second');
    return said;
  });
  await step('the pods of the opening second are Ready before it', async () => {
    const { startMs, openReplicas } = made(sale);
    const seen = await until('the pods are Ready', startMs - Date.now(), async () => {
      const ready = await readyPods(made(tools));
      return { holds: ready >= openReplicas, seen: `${ready} of ${openReplicas} pods are Ready` };
    });
    return `${seen}, ${((startMs - Date.now()) / 1_000).toFixed(1)} s before the start`;
  });
  await step(
    `${BUYERS} buyers come in the opening second through the edge, and all have a definite answer`,
    async () => {
      const { namespace, name, totalUnits } = made(sale);
      outcome = await playBuyers(made(tools), place, `${namespace}/${name}`, BUYERS);
      const { answers } = outcome;
      expectThat(answers['held'] === totalUnits, `units sold: ${answers['held']}, of ${totalUnits}`);
      return JSON.stringify(answers);
    },
  );
  await step('the sale is settled after its end, and the six numbers are zero', async () => {
    const { name, namespace } = made(sale);
    await until('the sale is settled', SETTLED_TIMEOUT_MS, async () => {
      const { phase = '' } = await readStatus(made(tools), made(sale));
      return { holds: phase === 'Settled', seen: `phase ${phase}` };
    });
    const { accuracy = {} } = await readStatus(made(tools), made(sale));
    const numbers = ['oversold', 'undersold', 'broken', 'phantom', 'overLimit', 'drift'];
    expectThat(
      numbers.every((number) => accuracy[number] === 0),
      `accuracy: ${JSON.stringify(accuracy)}`,
    );
    return `${JSON.stringify(accuracy)}\n${await made(tools).kubectl('-n', namespace, 'describe', 'ske', name)}`;
  });
  await step('every unit that a buyer was told of is an order in the database', async () => {
    const { totalUnits } = made(sale);
    // The server is in the cluster's network, which this machine reaches by its link.
    const orders = await ordersOf(made(servers).mysqlUrl);
    const live = orders.filter(({ state }) => state === 'PENDING_PAYMENT');
    expectThat(
      live[0]?.units === totalUnits && live[0].orders === made(outcome).answers['held'],
      JSON.stringify(orders),
    );
    return JSON.stringify(orders);
  });
  await step('the pods are gone after the drain', async () => {
    const pods = () => made(tools).kubectl('-n', NAMESPACE, 'get', 'pods', '-l', 'app.kubernetes.io/component=pool');
    await until('the pods are gone', PODS_GONE_TIMEOUT_MS, async () => {
      const seen = await pods();
      return { holds: seen.trim() === '', seen };
    });
    for (const watch of Object.values(watches)) watch.end();
    return Object.entries(watches)
      .map(([name, watch]) => [`kubectl get ${name} -w`, ...watch.lines()].join('\n'))
      .join('\n');
  });
  await step('helm uninstall: nothing of the release stays but what is kept on purpose', async () => {
    const waiting = ['--wait', '--timeout', `${UNINSTALL_TIMEOUT_SECONDS}s`];
    const said = await made(tools).helm('uninstall', RELEASE, '--namespace', NAMESPACE, ...waiting);
    await until('the pods are gone', ENDED_TIMEOUT_MS, async () => {
      const seen = await made(tools).kubectl('-n', NAMESPACE, 'get', 'deployments,pods,services,jobs');
      return { holds: seen.trim() === '', seen };
    });
    return said;
  });
};

const cleanUp = async (): Promise<void> => {
  for (const watch of Object.values(watches)) watch.end();
  if (steps.failed() && tools !== undefined) await explain(tools, sale);
  await always('the cluster is down, and nothing of it is left', async () => {
    await stopCluster(options);
    const left = [place.dir, `/sys/class/net/${LINK.host}`].filter(existsSync);
    expectThat(left.length === 0, `left: ${left.join(', ')}`);
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
  await run();
  await cleanUp();
  print(steps.summary());
  process.exitCode = steps.failed() ? 1 : 0;
}
