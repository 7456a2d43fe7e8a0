import { ConfigResourceTypes, Kafka, logLevel } from 'kafkajs';
import { createConnection } from 'mysql2/promise';
import { describe, expect, test } from 'vitest';
import { createLedger } from '../../ledger/ledger.ts';
import type { SeckillEventStatus } from '../../operator/api/status.ts';
import type { KubeObject } from '../../operator/platform/kubernetes/client.ts';
import { OWNED_KINDS, type PoolKind, refOfPool } from '../../operator/platform/kubernetes/pool-view.ts';
import { HOLDS_TOPIC } from '../../services/kit/kafka/topics.ts';
import type { FaultId } from '../faults/faults.ts';
import { recordFault, saidOf, stopwatch } from '../faults/record.ts';
import { eventually } from '../support/eventually.ts';
import { releaseOfFile, type Sale, SLOW } from './release.ts';

const stand = releaseOfFile();
const { cluster, bed, aSale, apply, find, reaches, says } = stand;
const MYSQL_USER = 'faulty';

const conditionOf = (status: SeckillEventStatus, type: string) =>
  status.conditions.find((condition) => condition.type === type);

/** A server that stays broken would hold up the end of the file, also when what was expected of it never came. */
async function repairing<T>(repair: () => Promise<unknown>, look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } finally {
    await repair();
  }
}

/** Breaks something under an open sale, sees the condition say it, repairs it, and waits until it is true again. */
async function underAnOpenSale(o: {
  id: FaultId;
  sale: Sale;
  says: RegExp;
  condition?: string;
  break(): Promise<unknown>;
  repair(): Promise<unknown>;
}): Promise<void> {
  const { id, sale, condition = 'Ready' } = o;
  await o.break();
  const status = await repairing(o.repair, () =>
    says(sale.key, (now) => {
      expect(conditionOf(now, condition)?.status).not.toBe('True');
      expect(conditionOf(now, condition)?.message).toMatch(o.says);
    }),
  );
  const sinceRepair = stopwatch();
  // What cannot be seen is not taken for lost: the sale goes on.
  expect(status.phase).toBe('Open');
  await says(sale.key, (now) => expect(conditionOf(now, condition)?.status).toBe('True'));
  recordFault(id, { said: saidOf(status, condition), seconds: sinceRepair() });
}

/** Breaks something before a sale is applied, sees that it is not armed and why, repairs it, and waits until it is. */
async function beforeArming(o: {
  id: FaultId;
  says: RegExp;
  break(sale: Sale): Promise<unknown>;
  repair(sale: Sale): Promise<unknown>;
}): Promise<void> {
  const sale = await aSale();
  await o.break(sale);
  const status = await repairing(
    () => o.repair(sale),
    async () => {
      await apply(sale);
      return says(sale.key, (now) => expect(conditionOf(now, 'Armed')?.message).toMatch(o.says));
    },
  );
  const sinceRepair = stopwatch();
  expect(status.phase).toBe('Preheating');
  expect(conditionOf(status, 'Armed')).toMatchObject({ status: 'False', reason: 'ChecksFailing' });
  const open = await reaches(sale.key, 'Open');
  expect(open.status?.checks.filter(({ blocking, passed }) => blocking && !passed)).toEqual([]);
  recordFault(o.id, { said: saidOf(status, 'Armed'), seconds: sinceRepair() });
  await close(sale);
}

async function close(sale: Sale): Promise<void> {
  await apply({ ...sale, spec: { ...sale.spec, closed: true } });
  await reaches(sale.key, 'Settled');
}

/** Breaks objects of the pool of an open sale, one after the other. Answers the longest that one was not right. */
async function slowestOf(
  sale: Sale,
  ways: readonly { break(): Promise<unknown>; right(): Promise<void> }[],
): Promise<{ said: string; seconds: number }> {
  let [said, seconds] = ['', 0];
  for (const way of ways) {
    await way.break();
    const since = stopwatch();
    const saidNow = await stand.saidUntil(sale.key, 'PodsReady', way.right);
    seconds = Math.max(seconds, since());
    if (said === '' || saidNow.includes('PodsReady=False')) said = saidNow;
  }
  return { said, seconds };
}

async function pauseServer(role: 'redis' | 'kafka' | 'mariadb', signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
  process.kill(await stand.pidOf(role), signal);
}

/** By a connection of its own for each sentence, since they may be broken by it. */
async function sql(...sentences: string[]): Promise<void> {
  const connection = await createConnection(bed.release.endpoints().mysql);
  try {
    for (const sentence of sentences) await connection.query(sentence);
  } finally {
    await connection.end();
  }
}

async function setMinInsync(value: string): Promise<void> {
  const admin = new Kafka({ brokers: [...bed.release.endpoints().kafka], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        ...{ type: ConfigResourceTypes.TOPIC, name: HOLDS_TOPIC },
        configEntries: [{ name: 'min.insync.replicas', value }],
      },
    ],
  });
  await admin.disconnect();
}

/** All but us have to connect anew, and are asked for the password then. */
async function setRedisPassword(password: string): Promise<void> {
  await bed.redis.config('SET', 'requirepass', password);
  await bed.redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
}

describe('a fault under an operator in a cluster', { timeout: 300_000 }, () => {
  test('is said in the status, and mends by itself: a CRD that is missing', async () => {
    await cluster.removeCrd();
    const release = await cluster.namespace();
    const leader = stand.forcedLeader(release);
    const problem = /the CustomResourceDefinition of SeckillEvent installed/;
    await eventually(() => expect(leader.platform.health().problems.join()).toMatch(problem), SLOW);
    const said = `/readyz of the operator: ${leader.platform.health().problems.find((one) => problem.test(one))}`;
    await cluster.installCrd();
    const sinceInstalled = stopwatch();
    const sale = await aSale();
    await apply(sale);
    await says(sale.key, ({ phase }) => expect(phase).toBeDefined());
    recordFault('crd-missing', { said, seconds: sinceInstalled() });
    await reaches(sale.key, 'Open');
    await close(sale);
    await leader.stop();
  });

  test('… pods that are missing: their Secret, their image, a quota', async () => {
    const release = await cluster.namespace();
    const leader = stand.forcedLeader(release);
    await Promise.all([
      beforeArming({
        ...{ id: 'secret-missing', says: /2 pods: it cannot be started .*secret "redis" not found/ },
        async break({ pool }) {
          stand.tellOfPods(pool, { reason: 'CreateContainerConfigError', message: 'secret "redis" not found' });
        },
        async repair({ pool }) {
          stand.tellOfPods(pool, 'ready');
        },
      }),
      beforeArming({
        ...{ id: 'image-missing', says: /2 pods: the image registry.local\/seckill:1 cannot be pulled/ },
        async break({ pool }) {
          stand.tellOfPods(pool, { reason: 'ErrImagePull', message: 'not found' });
        },
        async repair({ pool }) {
          stand.tellOfPods(pool, 'ready');
        },
      }),
    ]);
    const sale = await aSale();
    await apply(sale);
    await reaches(sale.key, 'Open');
    await says(sale.key, (now) => expect(conditionOf(now, 'PodsReady')?.status).toBe('True'));
    const quotas = `/api/v1/namespaces/${release}/resourcequotas`;
    const { ask } = cluster.plane();
    await underAnOpenSale({
      ...{ id: 'quota', sale, condition: 'PodsReady', says: /pods cannot be created: .*exceeded quota: few/ },
      async break() {
        const body = { metadata: { name: 'few' }, spec: { hard: { pods: '1' } } };
        expect((await ask('POST', quotas, { apiVersion: 'v1', kind: 'ResourceQuota', ...body })).status).toBe(201);
        await eventually(async () => expect((await ask('GET', `${quotas}/few`)).body).toContain('"used"'), SLOW);
        await ask('DELETE', `/api/v1/namespaces/${release}/pods?labelSelector=seckill.io/pool=${sale.pool}`);
      },
      repair: () => ask('DELETE', `${quotas}/few`),
    });
    await close(sale);
    await leader.stop();
  });

  test('… objects of a pool that are deleted or edited by hand, and an API server that is killed', async () => {
    const release = await cluster.namespace();
    const leader = stand.forcedLeader(release);
    const sale = await aSale();
    await apply(sale);
    await reaches(sale.key, 'Open');
    await says(sale.key, (now) => expect(now.pods).toEqual({ ready: 2, wanted: 2 }));
    const admin = cluster.admin();
    type Found = KubeObject & { spec: Record<string, unknown> };
    const get = (kind: PoolKind) => admin.get<Found>(refOfPool(kind, release, sale.pool));
    const deleted = (kind: PoolKind) => {
      let uid: string | undefined;
      const look = async () => {
        uid = (await get(kind))?.metadata.uid;
      };
      return {
        look,
        async break() {
          await look();
          await admin.delete(refOfPool(kind, release, sale.pool));
        },
        async right() {
          const found = await get(kind);
          expect(found?.metadata.uid).toBeDefined();
          expect(found?.metadata.uid).not.toBe(uid);
          expect(found?.metadata.deletionTimestamp).toBeUndefined();
        },
      };
    };
    const edited = (kind: PoolKind, patch: object, wrong: string) => ({
      break: () => admin.mergePatch(refOfPool(kind, release, sale.pool), patch),
      right: async () => expect(JSON.stringify((await get(kind))?.spec)).not.toContain(wrong),
    });
    recordFault('owned-deleted', await slowestOf(sale, OWNED_KINDS.map(deleted)));
    const image = { spec: { template: { spec: { containers: [{ name: 'seckill', image: 'mine:1' }] } } } };
    const edits = [
      edited('Deployment', image, 'mine:1'),
      edited('Service', { spec: { selector: { 'seckill.io/pool': 'other' } } }, '"other"'),
      edited('HorizontalPodAutoscaler', { spec: { maxReplicas: 101 } }, '101'),
      edited('PodDisruptionBudget', { spec: { maxUnavailable: 0 } }, '"maxUnavailable":0'),
    ];
    recordFault('edited-by-hand', await slowestOf(sale, edits));
    await eventually(() => stand.podsAreReady(release, sale.pool, 2), SLOW);

    const [anchor, ...owned] = (['ConfigMap', ...OWNED_KINDS] as const).map(deleted);
    let former: string[] = [];
    const all = {
      async break() {
        former = await stand.podsAreReady(release, sale.pool, 2);
        // It takes the others along; who they were must be known before.
        for (const one of owned) await one.look();
        await anchor?.break();
      },
      async right() {
        await anchor?.right();
        for (const one of owned) await one.right();
        await stand.podsAreReady(release, sale.pool, 2, former);
      },
    };
    recordFault('anchor-deleted', await slowestOf(sale, [all]));

    await cluster.plane().killApiserver();
    await eventually(() => expect(leader.platform.health().problems).not.toEqual([]), SLOW);
    const said = `/readyz of the operator: ${leader.platform.health().problems[0]}`;
    await cluster.plane().startApiserver();
    const sinceReady = stopwatch();
    await eventually(() => apply({ ...sale, spec: { ...sale.spec, paused: true } }), SLOW);
    await reaches(sale.key, 'Paused');
    recordFault('apiserver-killed', { said, seconds: sinceReady() });
    await close(sale);
    await leader.stop();
  });

  test('… a connection to the API server that is dead without a word', async () => {
    const release = await cluster.namespace();
    const { proxy, kubeconfigFile } = await cluster.way();
    const sale = await aSale();
    await apply(sale);
    const operator = await stand.operatorOf(release, kubeconfigFile);
    await reaches(sale.key, 'Open');
    // On a machine that stalls the leader may lose its lease over it and end: there are two, as in a release.
    const other = await stand.operatorOf(release);
    proxy.freeze();
    const sinceDead = stopwatch();
    await apply({ ...sale, spec: { ...sale.spec, paused: true } });
    const said = saidOf((await find(sale.key))?.status, 'Ready');
    await reaches(sale.key, 'Paused');
    recordFault('half-open', { said: `${said} (as it was)`, seconds: sinceDead() });
    await close(sale);
    await Promise.all([operator.kill(), other.kill()]);
  });

  test('… servers that are not as a sale needs them when it is to be armed', async () => {
    const leader = stand.forcedLeader(await cluster.namespace());
    await beforeArming({
      ...{ id: 'redis-evicts', says: /RedisPolicy: maxmemory-policy must be noeviction, it is allkeys-lru/ },
      break: () => bed.redis.config('SET', 'maxmemory-policy', 'allkeys-lru'),
      repair: () => bed.redis.config('SET', 'maxmemory-policy', 'noeviction'),
    });
    await beforeArming({
      ...{ id: 'kafka-in-sync', says: /Topic: 1 replicas are in sync, min.insync.replicas is 2/ },
      break: () => setMinInsync('2'),
      repair: () => setMinInsync('1'),
    });
    await beforeArming({
      ...{ id: 'kafka-away', says: /Topic: it does not answer: ./ },
      break: () => pauseServer('kafka', 'SIGSTOP'),
      repair: () => pauseServer('kafka', 'SIGCONT'),
    });
    await leader.stop();
  });

  test('… servers that are away, or take another password, while a sale is open', async () => {
    const url = new URL(bed.release.endpoints().mysql);
    await sql(
      `DROP USER IF EXISTS ${MYSQL_USER}`,
      `CREATE USER ${MYSQL_USER} IDENTIFIED BY 'right'`,
      `GRANT ALL ON *.* TO ${MYSQL_USER}`,
    );
    Object.assign(url, { username: MYSQL_USER, password: 'right' });
    const ledger = createLedger({ url: url.href, log: bed.deps.log });
    stand.onEnd(() => ledger.close());
    const leader = stand.forcedLeader(await cluster.namespace(), { deps: { ledger } });
    const sale = await aSale();
    await apply(sale);
    await reaches(sale.key, 'Open');
    await underAnOpenSale({
      ...{ id: 'redis-password', sale, says: /NOAUTH/ },
      break: () => setRedisPassword('another'),
      repair: () => setRedisPassword(''),
    });
    await underAnOpenSale({
      ...{ id: 'mysql-password', sale, says: /Access denied for user 'faulty'/ },
      break: () => sql(`ALTER USER ${MYSQL_USER} IDENTIFIED BY 'another'`, `KILL USER ${MYSQL_USER}`),
      repair: () => sql(`ALTER USER ${MYSQL_USER} IDENTIFIED BY 'right'`),
    });
    await underAnOpenSale({
      ...{ id: 'redis-away', sale, says: /./ },
      break: () => pauseServer('redis', 'SIGSTOP'),
      repair: () => pauseServer('redis', 'SIGCONT'),
    });
    await underAnOpenSale({
      ...{ id: 'mysql-away', sale, says: /./ },
      break: () => pauseServer('mariadb', 'SIGSTOP'),
      repair: () => pauseServer('mariadb', 'SIGCONT'),
    });
    await close(sale);
    await leader.stop();
  });
});
