import { pino } from 'pino';
import { connectRedis, type RedisLink } from '../../lua/connection.ts';
import { type RegistryEntry, removeRegistry, writeRegistry } from '../../lua/registry.ts';
import { createStock, type Stock, type StockRef } from '../../lua/stock.ts';
import { mintToken, type TokenKeys } from '../../services/domain/admission-token.ts';
import { randomEventName } from '../support/names.ts';

export interface Shop {
  link: RedisLink;
  stock: Stock;
  openSale(options?: SaleOptions): Promise<Sale>;
  close(): Promise<void>;
}

export interface SaleOptions {
  totalUnits?: number;
  unitsPerBuyer?: number;
  /** From now, in milliseconds. */
  startsInMs?: number;
  endsInMs?: number;
  armed?: boolean;
  paused?: boolean;
}

export interface Sale {
  entry: RegistryEntry;
  ref: StockRef;
  path: string;
  token(
    buyer?: string,
    changes?: { eventId?: string; notBeforeMs?: number; expiresMs?: number; keys?: TokenKeys },
  ): string;
  forget(): Promise<void>;
}

const silent = pino({ level: 'silent' });
let buyers = 0;

export function randomBuyer(): string {
  buyers += 1;
  return `buyer-${process.pid}-${buyers}`;
}

/** Does what the operator does: preheats, arms and registers sales in this Redis. */
export async function openShop(redisUrl: string, keys: TokenKeys): Promise<Shop> {
  const link = connectRedis({ url: redisUrl, log: silent, name: 'test-operator', commandTimeoutMs: 5_000 });
  await link.ready();
  const stock = createStock({ link });
  return {
    link,
    stock,
    openSale: (options = {}) => openSale({ link, stock, keys, ...options }),
    close: () => link.close(),
  };
}

async function openSale(o: SaleOptions & { link: RedisLink; stock: Stock; keys: TokenKeys }): Promise<Sale> {
  const { totalUnits = 100, unitsPerBuyer = 1, startsInMs = -1_000, endsInMs = 3_600_000 } = o;
  const name = randomEventName();
  const eventId = `shop.${name}.1`;
  const run = o.link.current()?.run;
  if (run === undefined) throw new Error('there is no connection to Redis');
  const startMs = Date.now() + startsInMs;
  const endMs = Date.now() + endsInMs;
  const ref = { eventId, bucket: 0, generation: 1, run };
  await o.stock.preheat(ref, { revision: 1, totalUnits, startMs, endMs, unitsPerBuyer });
  if (o.armed !== false) await o.stock.arm(ref, { paused: o.paused === true });
  const entry: RegistryEntry = {
    eventId,
    namespace: 'shop',
    name,
    edition: 1,
    product: { sku: 'PHONE-X-256', title: 'Phone X 256 GB', priceMinor: 399_900, currency: 'CNY' },
    buckets: 1,
    runs: [run],
    generation: 1,
    revision: 1,
    startMs,
    endMs,
    unitsPerBuyer,
    pool: '',
  };
  await writeRegistry(o.link, entry);
  return {
    entry,
    ref,
    path: `/v1/events/shop/${name}`,
    token: (buyer = randomBuyer(), changes = {}) =>
      mintToken(changes.keys ?? o.keys, {
        buyer,
        eventId: changes.eventId ?? eventId,
        notBeforeMs: changes.notBeforeMs ?? Date.now() - 60_000,
        expiresMs: changes.expiresMs ?? Date.now() + 3_600_000,
      }),
    forget: () => removeRegistry(o.link, `shop/${name}`, 1),
  };
}

export interface Answer {
  status: number;
  headers: Headers;
  body: AnswerBody;
}

/** Any field that any answer may have. */
export interface AnswerBody {
  reservationId?: string;
  eventId?: string;
  units?: number;
  state?: string;
  orderUrl?: string;
  code?: string;
  detail?: string;
  unitsLeft?: number;
  startTime?: string;
  errors?: { field: string; message: string }[];
  status?: string | number;
  statusUrl?: string;
  retryAfterSeconds?: number;
}

/** An attempt to buy, over HTTP. */
export async function attempt(
  baseUrl: string,
  sale: Pick<Sale, 'path'>,
  token: string | undefined,
  { units = 1 as unknown, headers = {} as Record<string, string>, body = undefined as string | undefined } = {},
): Promise<Answer> {
  const response = await fetch(`${baseUrl}${sale.path}/reservations`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: body ?? JSON.stringify({ units }),
  });
  return answerOf(response);
}

export async function read(baseUrl: string, path: string, token?: string): Promise<Answer> {
  return answerOf(
    await fetch(`${baseUrl}${path}`, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
  );
}

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, body: (await response.json()) as AnswerBody };
}
