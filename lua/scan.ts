import { SeckillError } from '../services/domain/errors.ts';
import type { MalformedReservation, Reservation } from '../services/domain/reservation.ts';
import type { RedisLink } from './connection.ts';
import { reservationsKey, SENTINEL_FIELD } from './keys.ts';
import { SCAN_STEP_RESERVATIONS } from './limits.ts';
import { parseReservation, text } from './replies.ts';
import type { StockRef } from './stock.ts';

/** A page of the reservations of a stock; '0' begins anew, and is the answer's cursor at the end. */
export async function scanPage(
  link: RedisLink,
  ref: StockRef,
  cursor: string,
): Promise<{ cursor: string; reservations: (Reservation | MalformedReservation)[] }> {
  const now = link.current();
  if (now === undefined || now.run !== ref.run) {
    throw new SeckillError('SECKILL_ERR_NOT_READY', 'the reservations cannot be read: Redis is away or another');
  }
  const key = reservationsKey(ref.eventId, ref.bucket);
  const [next, fields] = await now.redis.hscan(key, cursor, 'COUNT', SCAN_STEP_RESERVATIONS);
  const reservations: (Reservation | MalformedReservation)[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const id = text(fields[i]);
    if (id !== SENTINEL_FIELD) reservations.push(parseReservation(id, text(fields[i + 1])));
  }
  return { cursor: next, reservations };
}

/** All reservations of a stock, over one connection. */
export async function* scan(link: RedisLink, ref: StockRef): AsyncGenerator<Reservation | MalformedReservation> {
  const serial = link.current()?.serial;
  let cursor = '0';
  do {
    if (link.current()?.serial !== serial) {
      throw new SeckillError('SECKILL_ERR_NOT_READY', 'the reservations cannot be read: the connection is another');
    }
    const page = await scanPage(link, ref, cursor);
    cursor = page.cursor;
    yield* page.reservations;
  } while (cursor !== '0');
}
