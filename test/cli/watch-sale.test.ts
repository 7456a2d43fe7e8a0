import { expect, test } from 'vitest';
import { watchCommand } from '../../cli/watch.ts';
import { applySale, type Sale } from '../sale/harness/sale.ts';
import { stand } from '../sale/harness/stand.ts';
import { eventually } from '../support/eventually.ts';
import { runHere } from './in-process.ts';

/** From the manifest to the opening: enough for what must be ready by then, on a machine that has time for it. */
const LEAD_MS = 12_000;
const LEADS_MAX = 5;
const UNITS = 1_000;
/** A hundred buyers a second, for as long as somebody looks. */
const WAVE = { buyers: 400, overMs: 4_000 };
const PATIENT = { deadlineMs: 60_000, intervalMs: 500 };

const platform = stand({ relays: 1, prometheus: true });

/** The screen, as soon as it has all of these. */
async function screenWith(parts: readonly (string | RegExp)[], { key }: Sale, deadlineMs?: number): Promise<string> {
  return eventually(
    async () => {
      const { code, said } = await runHere(watchCommand(), [key, '--state', platform.stateDir, '--once']);
      expect(code).toBe(0);
      for (const part of parts) expect(said).toMatch(part);
      return said;
    },
    { ...PATIENT, ...(deadlineMs === undefined ? {} : { deadlineMs }) },
  );
}

const BEFORE = [
  'Armed  opens in ',
  '2 of 2 ready',
  'state     armed',
  '1,000 available',
  'alerts    none',
  /exact: .*audited/,
];

/** A sale that was armed and audited in time, and its screen then. A busy machine gets more time with each new one. */
async function armedSale(): Promise<{ sale: Sale; before: string }> {
  for (let attempt = 0; ; attempt += 1) {
    const startMs = Date.now() + LEAD_MS * 2 ** attempt;
    const sale = applySale(platform, { units: UNITS, startMs, unitsPerBuyer: 2 });
    try {
      return { sale, before: await screenWith(BEFORE, sale, startMs - Date.now()) };
    } catch (error) {
      if (attempt === LEADS_MAX) throw error;
    }
  }
}

test('the screen of a real sale says before, during and after it what is so', { timeout: 600_000 }, async () => {
  const { sale, before } = await armedSale();
  await sale.open();
  let during = '';
  await sale.playDuring(async () => {
    const rates = /answers {3}[1-9]\d*\/s \(peak [1-9]\d*\/s\), errors \d+\/s, p99 \d+ ms/;
    during = await screenWith(['open for ', rates, /[1-9]\d* committed/], sale);
  }, WAVE);
  sale.change({ closed: true });
  await sale.until('settled', ({ phase }) => phase === 'Settled');
  const after = await screenWith(['Settled  is over', 'none wanted', ' 0 held', 'exact:  oversold 0'], sale);
  process.stdout.write([before, during, after].join('\n'));
});
