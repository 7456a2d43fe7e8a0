import { createJournal } from '../../lua/journal.ts';
import type { Sale, Shop } from './sale.ts';

/** What the journal of a sale tells, read as the audit does. */
export function createJournalReader({ link }: Shop) {
  const journal = createJournal({ link });
  return {
    async heldIds({ entry }: Sale): Promise<string[]> {
      const ids: string[] = [];
      let after = '0-0';
      for (;;) {
        const entries = await journal.range(entry.eventId, 0, after, 1_000);
        const last = entries.at(-1);
        if (last === undefined) return ids;
        after = last.id;
        for (const found of entries) if (found.type === 'held') ids.push(found.reservationId);
      }
    },
  };
}
