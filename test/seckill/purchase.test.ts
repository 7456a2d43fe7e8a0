import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reservationsKey } from '../../lua/keys.ts';
import { eventually } from '../support/eventually.ts';
import { ownRedis } from '../support/redis.ts';
import { createJournalReader } from './journal-reader.ts';
import { type KeyFile, makeKeyFile, type Pod, startPod } from './pod.ts';
import { attempt, openShop, randomBuyer, read, type Sale, type Shop } from './sale.ts';

const redis = ownRedis();
let keyFile: KeyFile;
let shop: Shop;
let pod: Pod;

beforeAll(async () => {
  keyFile = makeKeyFile();
  shop = await openShop(redis.url, keyFile.keys);
  pod = await startPod({ SECKILL_REDIS_URL: redis.url, SECKILL_TOKEN_KEYS_FILE: keyFile.path });
});
afterAll(async () => {
  pod?.kill('SIGKILL');
  await shop?.close();
  keyFile?.remove();
});

/** A sale that the pod has heard of. */
const openSale: Shop['openSale'] = async (options) => {
  const sale = await shop.openSale(options);
  await eventually(async () => (await read(pod.url, sale.path)).status === 200);
  return sale;
};

describe('an attempt', () => {
  it('that wins is told 201, its reservation, and where its order will be', async () => {
    const sale = await openSale();
    const { status, body } = await attempt(pod.url, sale, sale.token(), { units: 1 });
    expect(status).toBe(201);
    expect(body).toEqual({
      reservationId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      eventId: sale.entry.eventId,
      units: 1,
      state: 'held',
      orderUrl: `/v1/orders/${body.reservationId}`,
    });
    expect(await createJournalReader(shop).heldIds(sale)).toEqual([body.reservationId]);
  });

  it('that is repeated with the same token hears of the same reservation, and takes nothing', async () => {
    const sale = await openSale({ totalUnits: 2 });
    const token = sale.token();
    const first = await attempt(pod.url, sale, token);
    const second = await attempt(pod.url, sale, token);
    expect(second.status).toBe(200);
    expect(second.body).toEqual(first.body);
    expect(await shop.stock.snapshot(sale.ref)).toMatchObject({ availableUnits: 1, heldUnits: 1 });
  });

  it('that is repeated after its order was committed, and after it was released, hears the present state', async () => {
    const sale = await openSale({ totalUnits: 2 });
    const buyer = randomBuyer();
    const token = sale.token(buyer);
    const { body } = await attempt(pod.url, sale, token);
    const item = { reservationId: body.reservationId ?? '', buyer, units: 1 };
    await shop.stock.commit(sale.ref, [item]);
    expect((await attempt(pod.url, sale, token)).body.state).toBe('committed');
    await shop.stock.release(sale.ref, [item]);
    expect((await attempt(pod.url, sale, token)).body.state).toBe('released');
  });

  it('with the same token and other units is a conflict', async () => {
    const sale = await openSale({ unitsPerBuyer: 5 });
    const token = sale.token();
    await attempt(pod.url, sale, token, { units: 1 });
    const again = await attempt(pod.url, sale, token, { units: 2 });
    expect([again.status, again.body.code]).toEqual([409, 'SECKILL_ERR_CONFLICT']);
  });

  it('over the limit of its buyer is refused, whatever token it comes with', async () => {
    const sale = await openSale({ unitsPerBuyer: 2 });
    const buyer = randomBuyer();
    expect((await attempt(pod.url, sale, sale.token(buyer), { units: 2 })).status).toBe(201);
    const more = await attempt(pod.url, sale, sale.token(buyer), { units: 1 });
    expect([more.status, more.body.code]).toEqual([409, 'SECKILL_ERR_LIMIT_EXCEEDED']);
  });

  it('for more than is left is told how many are left', async () => {
    const sale = await openSale({ totalUnits: 3, unitsPerBuyer: 5 });
    const more = await attempt(pod.url, sale, sale.token(), { units: 5 });
    expect([more.status, more.body.code, more.body.unitsLeft]).toEqual([409, 'SECKILL_ERR_SOLD_OUT', 3]);
    expect((await attempt(pod.url, sale, sale.token(), { units: 3 })).status).toBe(201);
    const last = await attempt(pod.url, sale, sale.token(), { units: 1 });
    expect([last.status, last.body.code, last.body.unitsLeft]).toEqual([409, 'SECKILL_ERR_SOLD_OUT', 0]);
  });

  it('of a thousand buyers at once sells every unit once and not one more', async () => {
    const sale = await openSale({ totalUnits: 300 });
    const buy = async (token: string) => {
      const answer = await attempt(pod.url, sale, token, { headers: { 'seckill-attempt': '2' } });
      // On a busy machine some are told that their outcome is not known, or to come back.
      if (answer.status === 202 || answer.status === 503) throw new Error(`no definite answer: ${answer.status}`);
      return answer;
    };
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, () => sale.token()).map((token) =>
        eventually(() => buy(token), { intervalMs: 500 }),
      ),
    );
    const told = answers.filter(({ body }) => body.state === 'held').map(({ body }) => body.reservationId);
    expect(new Set(told).size).toBe(300);
    expect(answers.filter(({ body }) => body.code === 'SECKILL_ERR_SOLD_OUT')).toHaveLength(700);
    expect(new Set(await createJournalReader(shop).heldIds(sale))).toEqual(new Set(told));
    expect(await shop.stock.snapshot(sale.ref)).toMatchObject({ availableUnits: 0, heldUnits: 300, lawHolds: true });
  });
});

describe('outside of its time', () => {
  it('a sale that has not opened says when it opens', async () => {
    const sale = await openSale({ startsInMs: 600_000 });
    const { status, headers, body } = await attempt(pod.url, sale, sale.token());
    expect([status, body.code]).toEqual([409, 'SECKILL_ERR_NOT_OPEN']);
    expect(body.startTime).toBe(new Date(sale.entry.startMs).toISOString());
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(500);
    expect((await read(pod.url, sale.path)).body.state).toBe('not-open');
  });

  it('a sale that is over is closed', async () => {
    const sale = await openSale({ startsInMs: -60_000, endsInMs: -1_000 });
    const { status, body } = await attempt(pod.url, sale, sale.token());
    expect([status, body.code]).toEqual([410, 'SECKILL_ERR_CLOSED']);
    expect((await read(pod.url, sale.path)).body.state).toBe('closed');
  });

  it('a paused sale, a closed one and one that is not armed each have their code', async () => {
    const paused = await openSale({ paused: true });
    const closed = await openSale();
    await shop.stock.adjust(closed.ref, {
      revision: 2,
      totalUnits: 100,
      endMs: closed.entry.endMs,
      paused: false,
      closed: true,
    });
    const unarmed = await openSale({ armed: false });
    const told = async (sale: typeof paused) => {
      const { status, headers, body } = await attempt(pod.url, sale, sale.token());
      return [status, body.code, headers.get('retry-after') !== null, (await read(pod.url, sale.path)).body.state];
    };
    expect(await told(paused)).toEqual([503, 'SECKILL_ERR_PAUSED', true, 'paused']);
    expect(await told(closed)).toEqual([410, 'SECKILL_ERR_CLOSED', false, 'closed']);
    expect(await told(unarmed)).toEqual([503, 'SECKILL_ERR_NOT_READY', true, 'not-ready']);
  });

  it('an event that nobody knows is unknown, and one whose generation has passed is not ready', async () => {
    const sale = await openSale();
    const nobody = await attempt(
      pod.url,
      { path: '/v1/events/shop/nobody' },
      sale.token(undefined, { eventId: 'shop.nobody.1' }),
    );
    expect([nobody.status, nobody.body.code]).toEqual([404, 'SECKILL_ERR_EVENT_UNKNOWN']);
    await shop.stock.rebuildBegin({ ...sale.ref, generation: 2 });
    const recovering = await attempt(pod.url, sale, sale.token());
    expect([recovering.status, recovering.body.code]).toEqual([503, 'SECKILL_ERR_NOT_READY']);
  });
});

describe('a request that does not fit', () => {
  let sale: Sale;
  beforeAll(async () => {
    sale = await openSale();
  });

  it.each([
    [{ units: 0 }, 'body/units'],
    [{ units: -1 }, 'body/units'],
    [{ units: 1.5 }, 'body/units'],
    [{ units: 1e9 }, 'body/units'],
    [{ units: '1' }, 'body/units'],
    [{ units: null }, 'body/units'],
    [{}, 'body/units'],
    [{ units: 1, price: 1 }, 'body/price'],
    [[1], 'body'],
    ['units', 'body'],
  ])('%j is refused by the name of its field', async (body, field) => {
    const answer = await attempt(pod.url, sale, sale.token(), { body: JSON.stringify(body) });
    expect([answer.status, answer.body.code]).toEqual([400, 'SECKILL_ERR_REQUEST_INVALID']);
    expect(answer.body.errors?.[0]?.field).toBe(field);
    expect(answer.body.detail).toContain(field);
    expect(await shop.stock.snapshot(sale.ref)).toMatchObject({ availableUnits: 100, heldUnits: 0 });
  });

  it('has its own code when it is no JSON, too large, of another type, or has no body', async () => {
    const told = async (body: string, headers = {}) => {
      const answer = await attempt(pod.url, sale, sale.token(), { body, headers });
      return [answer.status, answer.body.code, answer.headers.get('content-type')];
    };
    const json = 'application/problem+json; charset=utf-8';
    expect(await told('{"units":')).toEqual([400, 'SECKILL_ERR_REQUEST_INVALID', json]);
    expect(await told('')).toEqual([400, 'SECKILL_ERR_REQUEST_INVALID', json]);
    expect(await told(`{"units":1}${' '.repeat(1_024)}`)).toEqual([413, 'SECKILL_ERR_BODY_TOO_LARGE', json]);
    expect(await told('units=1', { 'content-type': 'application/x-www-form-urlencoded' })).toEqual([
      415,
      'SECKILL_ERR_MEDIA_TYPE',
      json,
    ]);
  });

  it('to no route, or with a name that is no name, is told so', async () => {
    expect((await read(pod.url, '/v1/nothing')).body.code).toBe('SECKILL_ERR_ROUTE_UNKNOWN');
    const odd = await attempt(pod.url, { path: '/v1/events/shop/UPPER' }, sale.token());
    expect([odd.status, odd.body.errors?.[0]?.field]).toEqual([400, 'params/name']);
  });
});

describe("one's own reservation", () => {
  it('can be read by its buyer only, with an expired token too', async () => {
    const sale = await openSale();
    const token = sale.token();
    const { body } = await attempt(pod.url, sale, token);
    const path = `${sale.path}/reservations/${body.reservationId}`;
    const own = await read(pod.url, path, token);
    expect(own).toMatchObject({ status: 200, body });
    expect(own.headers.get('cache-control')).toBe('no-store');
    const other = await read(pod.url, path, sale.token());
    expect([other.status, other.body.code]).toEqual([404, 'SECKILL_ERR_RESERVATION_UNKNOWN']);
    const nobody = await read(pod.url, path);
    expect([nobody.status, nobody.body.code]).toEqual([401, 'SECKILL_ERR_TOKEN_MISSING']);
    expect(nobody.headers.get('www-authenticate')).toBe('Bearer');
    expect(nobody.headers.get('cache-control')).toBe('no-store');
    const expired = sale.token(undefined, { expiresMs: Date.now() - 60_000 });
    expect((await read(pod.url, path, expired)).body.code).toBe('SECKILL_ERR_RESERVATION_UNKNOWN');
  });

  it('that nobody can read is a failure of ours, not a reservation that never was', async () => {
    const sale = await openSale();
    const token = sale.token();
    const { body } = await attempt(pod.url, sale, token);
    const id = body.reservationId ?? '';
    await shop.link.current()?.redis.hset(reservationsKey(sale.ref.eventId, 0), id, 'abc');
    const broken = await read(pod.url, `${sale.path}/reservations/${id}`, token);
    expect([broken.status, broken.body.code]).toEqual([500, 'SECKILL_ERR_INTERNAL']);
  });
});

describe('the state of a sale', () => {
  it('is what an attempt would be told, with window, price and the clock that judges', async () => {
    const sale = await openSale({ totalUnits: 1 });
    const { headers, body } = await read(pod.url, sale.path);
    expect(headers.get('cache-control')).toBe('max-age=1');
    expect(body).toMatchObject({
      namespace: 'shop',
      name: sale.entry.name,
      eventId: sale.entry.eventId,
      state: 'open',
      unitsLeft: 1,
      startTime: new Date(sale.entry.startMs).toISOString(),
      endTime: new Date(sale.entry.endMs).toISOString(),
      serverTime: expect.stringMatching(/^\d{4}-.*Z$/),
      product: { priceMinor: 399_900, currency: 'CNY' },
      unitsPerBuyer: 1,
    });
    await attempt(pod.url, sale, sale.token());
    await eventually(async () => (await read(pod.url, sale.path)).body.state === 'sold-out');
  });
});
