import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintToken, type TokenKeys } from '../../services/domain/admission-token.ts';
import { createHealth } from '../../services/kit/health.ts';
import type { Http } from '../../services/kit/http.ts';
import { createMetrics } from '../../services/kit/metrics.ts';
import { createApp } from '../../services/order/app.ts';
import { ORDER_READS_MAX_IN_FLIGHT } from '../../services/order/limits.ts';
import { hold, ledgerBed, log, warmedEvent } from '../ledger/bed.ts';

const bed = ledgerBed();
const keys: TokenKeys = { current: 'k1', keys: { k1: Buffer.alloc(32, 1) } };
const NOW_MS = 1_764_000_300_000;
let app: Http;

beforeAll(async () => {
  app = await createApp({
    orders: bed.ledger.orders,
    tokens: { current: () => keys },
    clock: { nowMs: () => NOW_MS, monotonicMs: () => performance.now() },
    ...{ log, metrics: createMetrics({ role: 'order' }), health: createHealth() },
  });
});
afterAll(() => app.close());

function tokenOf(eventId: string, buyer: string, expiresMs = NOW_MS + 60_000): string {
  return mintToken(keys, { eventId, buyer, notBeforeMs: NOW_MS - 600_000, expiresMs });
}

async function read(id: string, token?: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await app.inject({ method: 'GET', url: `/v1/orders/${id}`, headers });
  expect(response.headers['cache-control']).toBe('no-store');
  return { status: response.statusCode, body: response.json() };
}

describe('GET /v1/orders/{id}', () => {
  test('tells a buyer of his own order, also when the token has expired', async () => {
    const { eventId } = await warmedEvent(bed.ledger);
    const mine = hold(eventId, { units: 3 });
    await bed.ledger.orders.storeHolds(eventId, [mine]);
    for (const token of [tokenOf(eventId, mine.buyer), tokenOf(eventId, mine.buyer, NOW_MS - 60_000)]) {
      const { status, body } = await read(mine.reservationId, token);
      expect(status).toBe(200);
      expect(body).toEqual({
        orderId: mine.reservationId,
        eventId,
        units: 3,
        state: 'PENDING_PAYMENT',
        amountMinor: 3 * 399_900,
        currency: 'CNY',
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      });
    }
  });

  test("another buyer's order, another event's and none at all look alike", async () => {
    const { eventId } = await warmedEvent(bed.ledger);
    const other = await warmedEvent(bed.ledger);
    const mine = hold(eventId);
    await bed.ledger.orders.storeHolds(eventId, [mine]);
    const answers = [
      await read(mine.reservationId, tokenOf(eventId, 'somebody-else')),
      await read(mine.reservationId, tokenOf(other.eventId, mine.buyer)),
      await read(hold(eventId).reservationId, tokenOf(eventId, mine.buyer)),
      await read('not-an-id', tokenOf(eventId, mine.buyer)),
    ];
    for (const answer of answers) {
      expect(answer).toEqual({ ...answers[0], status: 404 });
      expect(answer.body['code']).toBe('SECKILL_ERR_ORDER_UNKNOWN');
    }
  });

  test('so many at once are read, and whoever comes then is told to come again', async () => {
    const { eventId } = await warmedEvent(bed.ledger);
    const mine = hold(eventId);
    await bed.ledger.orders.storeHolds(eventId, [mine]);
    const token = tokenOf(eventId, mine.buyer);
    const locking = await createConnection(bed.url);
    await locking.query('LOCK TABLES orders WRITE');
    const asked = Array.from({ length: ORDER_READS_MAX_IN_FLIGHT }, () => read(mine.reservationId, token));
    const beyond = await app.inject({
      ...{ method: 'GET', url: `/v1/orders/${mine.reservationId}` },
      headers: { authorization: `Bearer ${token}` },
    });
    expect(beyond.statusCode).toBe(503);
    expect(beyond.json()).toMatchObject({ code: 'SECKILL_ERR_OVERLOADED' });
    expect(beyond.headers['retry-after']).toBe('1');
    await locking.query('UNLOCK TABLES');
    await locking.end();
    const answers = await Promise.all(asked);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect((await read(mine.reservationId, token)).status).toBe(200);
  });

  test.each([
    ['no token', undefined, 'SECKILL_ERR_TOKEN_MISSING'],
    ['a text that is none', 'abc', 'SECKILL_ERR_TOKEN_MALFORMED'],
    [
      'a forged one',
      mintToken(
        { current: 'k1', keys: { k1: Buffer.alloc(32, 9) } },
        { eventId: 'shop.x.1', buyer: 'b', notBeforeMs: 0, expiresMs: NOW_MS + 1 },
      ),
      'SECKILL_ERR_TOKEN_FORGED',
    ],
  ])('with %s nobody reads anything', async (_what, token, code) => {
    const { status, body } = await read('0190a000-0000-7000-8000-000000000000', token);
    expect({ status, code: body['code'] }).toEqual({ status: 401, code });
  });
});
