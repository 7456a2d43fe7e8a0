import { afterEach, expect, test } from 'vitest';
import { stockKeys } from '../../lua/keys.ts';
import { freePort } from '../../operator/platform/host/free-port.ts';
import { ACCURATE } from '../../services/domain/accounting.ts';
import { statementOn } from '../ledger/bed.ts';
import { eventually } from '../support/eventually.ts';
import { randomEventName } from '../support/names.ts';
import { PATIENT, platformOfFile, sells } from './bed.ts';

const bed = platformOfFile();
afterEach(() => bed.killOperators());

/** The six numbers as whoever scrapes the operator sees them, those that are not zero. */
async function shown(port: number, event: string): Promise<Record<string, number>> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  const found: Record<string, number> = {};
  for (const line of (await answer.text()).split('\n')) {
    if (!line.startsWith('seckill_accuracy{') || !line.includes(`event="${event}"`)) continue;
    found[/number="(\w+)"/.exec(line)?.[1] ?? ''] = Number(line.split(' ').at(-1));
  }
  return found;
}

test('a running sale shows its six numbers in its status and to Prometheus, and what is broken in them', {
  timeout: 240_000,
}, async () => {
  const name = randomEventName('watched');
  const port = await freePort();
  await bed.operator({ SECKILL_PORT: String(port) });
  await bed.apply(name, { opensInS: -1, endsInS: 3_600, fields: { 'spec.stock.totalUnits': 50 } });
  await bed.reaches(name, 'Open');
  await sells(bed, name);
  const held = (await bed.buy(name, 7)).filter(({ status }) => status === 201);
  expect(held).toHaveLength(7);

  await eventually(async () => {
    expect((await bed.get(name)).status?.accuracy).toEqual(ACCURATE);
    expect(await shown(port, `shop/${name}`)).toEqual(ACCURATE);
  }, PATIENT);

  const { mysql } = bed.release.endpoints();
  const id = held[0]?.body.reservationId;
  await eventually(async () => {
    expect(await statementOn(mysql, 'SELECT 1 FROM orders WHERE id = ?', [id])).toHaveLength(1);
  }, PATIENT);
  await statementOn(mysql, 'DELETE FROM orders WHERE id = ?', [id]);
  await eventually(async () => {
    const { status } = await bed.get(name);
    expect(status?.accuracy).toEqual({ ...ACCURATE, broken: 1 });
    const condition = status?.conditions.find(({ type }) => type === 'StockAccurate');
    expect(condition).toMatchObject({ status: 'False', reason: 'NumbersNotZero', message: 'broken 1' });
    expect(await shown(port, `shop/${name}`)).toEqual({ ...ACCURATE, broken: 1 });
  }, PATIENT);

  // Counters that contradict each other are rebuilt at once; whoever looks every two seconds still sees by how much.
  const [stock] = stockKeys((await bed.get(name)).status?.eventId ?? '', 0);
  await bed.redis.hincrby(stock, 'availableUnits', -7);
  await eventually(async () => expect((await shown(port, `shop/${name}`))['drift']).toBe(7), PATIENT);
  // The rebuild has taken the reservation without an order away; the buyer is still owed one.
  await eventually(async () => {
    const { status } = await bed.get(name);
    expect(status?.phase).toBe('Open');
    expect(status?.accuracy).toEqual({ ...ACCURATE, broken: 1 });
  }, PATIENT);
});
