import { setTimeout as delay } from 'node:timers/promises';

/** How long a buyer asks, and how soon again: far more than a pod needs on a busy machine. */
const PATIENCE_MS = 60_000;
const AGAIN_MS = 250;
const OVERLOADED: readonly unknown[] = ['SECKILL_ERR_LATE', 'SECKILL_ERR_OVERLOADED'];

export interface Bought {
  /** 201 also for whom only a repeat told of his success. */
  status: number;
  body: { state?: string; code?: string; reservationId?: string; orderUrl?: string };
}

/**
 * Buys a unit as every client must: who was told nothing definite (a pod of a busy machine may have no answer of Redis in
 * time) asks again with the same token, and says that he does.
 */
export async function buyUnit(saleUrl: string, token: string): Promise<Bought> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const untilMs = Date.now() + PATIENCE_MS;
  for (let attempt = 1; ; attempt += 1) {
    const answer = await fetch(`${saleUrl}/reservations`, {
      ...{ method: 'POST', headers: { ...headers, 'seckill-attempt': `${attempt}` }, body: '{"units":1}' },
    });
    const body = (await answer.json()) as Bought['body'];
    const isDefinite = answer.status !== 202 && !OVERLOADED.includes(body.code);
    if (isDefinite || Date.now() > untilMs) {
      const isHeld = attempt > 1 && answer.status === 200 && body.state !== 'released';
      return { status: isHeld ? 201 : answer.status, body };
    }
    await delay(AGAIN_MS);
  }
}
