import { expect, test } from 'vitest';
import { REGISTRY_KEY } from '../../lua/keys.ts';
import { type RegistryEntry, readRegistry, removeRegistry, writeRegistry } from '../../lua/registry.ts';
import { readServerFacts } from '../../lua/server-facts.ts';
import { eventually } from '../support/eventually.ts';
import { randomEventName } from '../support/names.ts';
import { linkTo, stand } from './stand.ts';

const on = stand({ 'min-replicas-to-write': '2' });

const entryOf = (change: Partial<RegistryEntry> = {}): RegistryEntry => {
  const name = change.name ?? randomEventName();
  const edition = change.edition ?? 1;
  return {
    eventId: `test.${name}.${edition}`,
    namespace: 'test',
    name,
    edition,
    product: { sku: 'X', title: 'Phone “X” 手机', priceMinor: 399900, currency: 'CNY' },
    buckets: 1,
    runs: ['0'.repeat(40)],
    generation: 1,
    revision: 1,
    startMs: 1,
    endMs: 2,
    unitsPerBuyer: 1,
    pool: '',
    ...change,
  };
};
const stored = async ({ name }: RegistryEntry) => (await readRegistry(on.link)).entries.get(`test/${name}`);

test('what is written is read back, with the time and the identity of Redis', async () => {
  await on.redis.config('SET', 'min-replicas-to-write', '0');
  const entry = entryOf();
  expect(await writeRegistry(on.link, entry)).toBe('written');
  // Again when a busy machine was held up in between.
  await eventually(async () => {
    const registry = await readRegistry(on.link);
    expect(registry.entries.get(`test/${entry.name}`)).toEqual(entry);
    expect(registry.run).toBe(on.run);
    expect(Math.abs(registry.offsetMs)).toBeLessThanOrEqual(registry.roundTripMs + 2);
    expect(Math.abs(registry.nowMs - Date.now())).toBeLessThan(1_000);
  });
});

test('the offset is Redis time minus ours', async () => {
  await eventually(async () => {
    const { offsetMs } = await readRegistry(on.link, () => Date.now() - 60_000);
    expect(Math.abs(offsetMs - 60_000)).toBeLessThan(1_000);
  });
});

test('a late leader overwrites nothing: edition, then generation, then revision', async () => {
  const present = entryOf({ edition: 2, generation: 9, revision: 9 });
  const { name } = present;
  expect(await writeRegistry(on.link, present)).toBe('written');
  const older: Partial<RegistryEntry>[] = [
    { edition: 1, generation: 20, revision: 20 },
    { edition: 2, generation: 8, revision: 20 },
    { edition: 2, generation: 9, revision: 8 },
  ];
  for (const change of older) {
    expect(await writeRegistry(on.link, entryOf({ name, ...change }))).toBe('stale');
    expect(await stored(present)).toEqual(present);
  }
  const newer: Partial<RegistryEntry>[] = [
    { edition: 2, generation: 9, revision: 9, pool: 'again' },
    { edition: 2, generation: 9, revision: 10 },
    { edition: 2, generation: 10, revision: 1 },
    { edition: 10, generation: 1, revision: 1 },
  ];
  for (const change of newer) {
    const entry = entryOf({ name, ...change });
    expect(await writeRegistry(on.link, entry)).toBe('written');
    expect(await stored(present)).toEqual(entry);
  }
});

test('an event is forgotten by its edition, and not by an earlier one', async () => {
  const entry = entryOf({ edition: 3 });
  await writeRegistry(on.link, entry);
  await removeRegistry(on.link, `test/${entry.name}`, 2);
  expect(await stored(entry)).toEqual(entry);
  await removeRegistry(on.link, `test/${entry.name}`, 3);
  expect(await stored(entry)).toBeUndefined();
  await removeRegistry(on.link, `test/${entry.name}`, 3);
});

test('an entry that cannot be read is left out, and disturbs no other', async () => {
  const entry = entryOf();
  await writeRegistry(on.link, entry);
  await on.redis.hset(REGISTRY_KEY, 'test/broken', 'what is this', 'test/half', '1 1 1 {"eventId":');
  const { entries } = await readRegistry(on.link);
  expect(entries.has('test/broken') || entries.has('test/half')).toBe(false);
  expect(entries.get(`test/${entry.name}`)).toEqual(entry);
  await on.redis.hdel(REGISTRY_KEY, 'test/broken', 'test/half');
});

test('without a connection nothing is read and nothing is written', async () => {
  const link = linkTo(on.server.url);
  await link.ready();
  await link.close();
  const away = { code: 'SECKILL_ERR_UNAVAILABLE' };
  await expect(readRegistry(link)).rejects.toMatchObject(away);
  await expect(writeRegistry(link, entryOf())).rejects.toMatchObject(away);
  await expect(readServerFacts(link)).rejects.toMatchObject(away);
});

test('the facts of a server are what the operator needs to judge it', async () => {
  await on.redis.config('SET', 'min-replicas-to-write', '2');
  expect(await readServerFacts(on.link)).toMatchObject({
    run: on.run,
    version: expect.stringMatching(/^\d+\.\d+/),
    maxmemoryPolicy: 'noeviction',
    aofEnabled: true,
    maxmemoryBytes: 0,
    connectedReplicas: 0,
    minReplicasToWrite: 2,
    role: 'master',
  });
  const sale = { eventId: 'test.lonely.1', bucket: 0, generation: 1, run: on.run };
  // Too few replicas: Redis refuses to write, and says so before the script runs.
  expect(await on.stock.remove(sale)).toEqual({ status: 'not-ready', reason: 'refused-by-redis' });
  await on.redis.config('SET', 'min-replicas-to-write', '0', 'maxmemory-policy', 'allkeys-lru', 'appendonly', 'no');
  expect(await readServerFacts(on.link)).toMatchObject({
    maxmemoryPolicy: 'allkeys-lru',
    aofEnabled: false,
    minReplicasToWrite: 0,
  });
});
