import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createLedger, type Ledger } from '../../ledger/ledger.ts';
import { migrate } from '../../ledger/migrate.ts';
import { connectRedis, type RedisLink } from '../../lua/connection.ts';
import { createJournal } from '../../lua/journal.ts';
import { readRegistry, writeRegistry } from '../../lua/registry.ts';
import { createStock } from '../../lua/stock.ts';
import { readFacts } from '../../operator/effects/facts.ts';
import { SERVER_CHECKS } from '../../operator/plan/server-checks.ts';
import { createKafka } from '../../services/kit/kafka/kafka.ts';
import type { KafkaOptions } from '../../services/kit/kafka/port.ts';
import { type OwnKafka, startKafka } from '../../tools/servers/kafka.ts';
import { type OwnMariadb, startMariadb } from '../../tools/servers/mariadb.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { freePort } from '../../tools/servers/ports.ts';
import { type OwnRedis, startRedis } from '../../tools/servers/redis.ts';
import { recordFault, stopwatch } from '../faults/record.ts';
import { makeCertificates } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { randomKafkaName } from '../support/kafka.ts';
import { randomEventName } from '../support/names.ts';
import { tempDir } from '../support/temp-dir.ts';

/*
 * Servers as people bring them: encrypted, with users of their own. Each is started twice-faced, with a plain port for the
 * set-up of the test and a secured one for the platform.
 */
const folder = tempDir();
const certificates = makeCertificates(folder);
const log = pino({ level: 'silent' });
const PASSWORD = 'sword-fish-1';

/** What people are told to allow, with this password. */
const documentation = readFileSync(new URL('../../docs/servers.md', import.meta.url), 'utf8');
const told = (line: RegExp): string => {
  const found = line.exec(documentation)?.[1];
  if (found === undefined) throw new Error(`docs/servers.md has no line like ${line}`);
  return found.replace('PASSWORD', PASSWORD);
};

/** Of a call that must fail: what a person reads. */
async function sentenceOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => new Error('it did not fail'),
    (failure: unknown) => failure as Error,
  );
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}

describe('a Redis with TLS and a user of its own', () => {
  let redis: OwnRedis;
  let url: (user: string, password: string) => string;

  beforeAll(async () => {
    const tlsPort = await freePort();
    redis = await startRedis(serverOptions(process.env), {
      config: {
        'tls-port': String(tlsPort),
        'tls-cert-file': certificates.certFile,
        'tls-key-file': certificates.keyFile,
        'tls-ca-cert-file': certificates.caFile,
        'tls-auth-clients': 'no',
        user: told(/^user (seckill on .*)$/m),
      },
    });
    url = (user, password) => `rediss://${user}:${password}@127.0.0.1:${tlsPort}`;
  });
  afterAll(() => redis?.close());

  const connect = (address: string, ca: string | undefined): RedisLink => {
    const link = connectRedis({
      ...{ url: address, log, name: 'test', commandTimeoutMs: 5_000 },
      ...(ca === undefined ? {} : { ca }),
    });
    onTestFinished(() => link.close());
    return link;
  };

  it('sells by a user who may do nothing else', async () => {
    const link = connect(url('seckill', PASSWORD), certificates.ca);
    await link.ready(AbortSignal.timeout(10_000));
    const run = link.current()?.run ?? '';
    const name = randomEventName();
    const [startMs, endMs] = [Date.now() - 1_000, Date.now() + 60_000];
    const ref = { eventId: `shop.${name}.1`, bucket: 0, generation: 1, run };
    const stock = createStock({ link });
    await stock.preheat(ref, { revision: 1, totalUnits: 10, startMs, endMs, unitsPerBuyer: 1 });
    await stock.arm(ref, { paused: false });
    await writeRegistry(link, {
      ...{ eventId: ref.eventId, namespace: 'shop', name, edition: 1, buckets: 1, runs: [run], pool: '' },
      product: { sku: 'A', title: 'A', priceMinor: 1, currency: 'CNY' },
      ...{ generation: 1, revision: 1, startMs, endMs, unitsPerBuyer: 1 },
    });
    expect((await readRegistry(link)).entries.has(`shop/${name}`)).toBe(true);
    expect(await stock.snapshot(ref)).toMatchObject({ availableUnits: 10, lawHolds: true });
    expect(await createJournal({ link }).progress(ref.eventId, 0)).toMatchObject({ pending: 0 });
    const facts = await readFacts({ link, admin: away(), ledger: awayLedger() }, undefined);
    expect(facts.redis).toMatchObject({ maxmemoryPolicy: 'noeviction', aofEnabled: true });

    const plain = new Redis(url('seckill', PASSWORD), { tls: { ca: certificates.ca } });
    onTestFinished(() => plain.disconnect());
    expect(await sentenceOf(plain.set('other', '1'))).toContain('NOPERM');
    expect(await sentenceOf(plain.call('FLUSHALL'))).toContain('NOPERM');
  });

  it.each([
    [
      'a wrong password',
      () => url('seckill', 'wrong'),
      'WRONGPASS invalid username-password pair or user is disabled.',
    ],
    ['a user that nobody knows', () => url('nobody', PASSWORD), 'WRONGPASS'],
    ['a certificate of another authority', () => url('seckill', PASSWORD), /certificate/],
  ])('names %s, for the log, the conditions and the checks', async (what, address, sentence) => {
    const ca = what.includes('certificate') ? certificates.otherCa : certificates.ca;
    const link = connect(address(), ca);
    await expect(link.ready(AbortSignal.timeout(2_000))).rejects.toThrow('there is no connection to Redis');
    await eventually(async () => expect(await sentenceOf(readRegistry(link))).toMatch(sentence));
    const { redis: answer, unanswered } = await readFacts({ link, admin: away(), ledger: awayLedger() }, undefined);
    expect(answer).toBeUndefined();
    expect(unanswered?.redis).toMatch(sentence);
    expect(unanswered?.redis).not.toContain(PASSWORD);
  });
});

const away = () => {
  const admin = createKafka({ brokers: ['127.0.0.1:1'], clientId: 'test', log }).admin();
  onTestFinished(() => admin.close());
  return admin;
};
const awayLedger = (): Ledger => {
  const ledger = createLedger({ url: 'mysql://root@127.0.0.1:1/none', log });
  onTestFinished(() => ledger.close());
  return ledger;
};

describe('a database with TLS and a user of its own', () => {
  let mariadb: OwnMariadb;
  let url: (password: string) => string;

  beforeAll(async () => {
    mariadb = await startMariadb(serverOptions(process.env), {
      config: { 'ssl-ca': certificates.caFile, 'ssl-cert': certificates.certFile, 'ssl-key': certificates.keyFile },
    });
    const root = await createConnection(mariadb.url);
    await root.query('CREATE DATABASE shop CHARACTER SET utf8mb4');
    await root.query(told(/^(CREATE USER seckill.*);$/m));
    await root.query(told(/^(GRANT .*);$/m));
    await root.end();
    url = (password) => `mysql://seckill:${password}@127.0.0.1:${mariadb.port}/shop`;
  });
  afterAll(() => mariadb?.close());

  const open = (password: string, ca?: string): Ledger => {
    const ledger = createLedger({ url: url(password), log, ...(ca === undefined ? {} : { ca }) });
    onTestFinished(() => ledger.close());
    return ledger;
  };

  it('is migrated and asked by that user', async () => {
    await migrate({ url: url(PASSWORD), ca: certificates.ca, log });
    expect(await open(PASSWORD, certificates.ca).ping()).toMatchObject({ pendingMigrations: [] });
  });

  it('names a wrong password, a missing encryption and a wrong authority', async () => {
    expect(await sentenceOf(open('wrong', certificates.ca).ping())).toContain("Access denied for user 'seckill'");
    expect(await sentenceOf(open(PASSWORD).ping())).toContain("Access denied for user 'seckill'");
    expect(await sentenceOf(open(PASSWORD, certificates.otherCa).ping())).toMatch(/certificate/);
    expect(await sentenceOf(migrate({ url: url('wrong'), ca: certificates.ca, log }))).toContain('Access denied');
  });
});

describe('a Kafka with TLS and a password', () => {
  let kafka: OwnKafka;
  let secured: string;

  beforeAll(async () => {
    const [port, controllerPort, securedPort] = [await freePort(), await freePort(), await freePort()];
    secured = `127.0.0.1:${securedPort}`;
    const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
    kafka = await startKafka(serverOptions(process.env), {
      port,
      config: {
        'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
        listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort},SECURED://${secured}`,
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},SECURED://${secured}`,
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL',
        'listener.name.secured.ssl.keystore.type': 'PEM',
        'listener.name.secured.ssl.keystore.location': certificates.bundleFile,
        'listener.name.secured.sasl.enabled.mechanisms': 'PLAIN',
        'sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.secured.plain.sasl.jaas.config': `${login} user_seckill="${PASSWORD}";`,
      },
    });
  });
  afterAll(() => kafka?.close());

  const adminWith = (options: Partial<KafkaOptions>) => {
    const admin = createKafka({ brokers: [secured], clientId: 'test', log, ...options }).admin();
    onTestFinished(() => admin.close());
    return admin;
  };
  const user = (password: string) => ({ mechanism: 'plain' as const, username: 'seckill', password });

  it('takes messages from who has the password', async () => {
    const options = { brokers: [secured], clientId: 'test', log, tls: { ca: certificates.ca }, sasl: user(PASSWORD) };
    const topic = randomKafkaName('holds');
    const admin = adminWith(options);
    await admin.ensureTopic({ topic, partitions: 1, replicationFactor: 1 });
    const producer = createKafka(options).producer();
    onTestFinished(() => producer.close());
    await producer.connect();
    await producer.send([{ topic, key: 'a', value: 'b' }]);
    expect(await admin.endOffsets(topic)).toEqual(new Map([[0, 1n]]));
  });

  it('is told of by its own words when the password or the authority is wrong', async () => {
    const tls = { ca: certificates.ca };
    const wrong = adminWith({ tls, sasl: user('wrong') });
    expect(await sentenceOf(wrong.clusterId())).toMatch(/authentication failed/i);
    const link = connectRedis({ url: 'redis://127.0.0.1:1', log, name: 'test', commandTimeoutMs: 100 });
    onTestFinished(() => link.close());
    const check = SERVER_CHECKS.topic.judge(await readFacts({ link, admin: wrong, ledger: awayLedger() }, undefined));
    expect(check).toMatch(/it does not answer: .*authentication failed/i);
    const sinceStart = stopwatch();
    await adminWith({ tls, sasl: user(PASSWORD) }).clusterId();
    recordFault('kafka-password', {
      said: `the check ${SERVER_CHECKS.topic.name}: ${check}`,
      seconds: sinceStart(),
    });
    const other = adminWith({ tls: { ca: certificates.otherCa }, sasl: user(PASSWORD) });
    expect(await sentenceOf(other.clusterId())).toMatch(/certificate/);
  });
});
