import type { LeaseRecord, LeaseStore } from '../platform.ts';
import { readRecord, writeRecord } from './versioned-record.ts';

export function createHostLeaseStore(folder: string): LeaseStore {
  return {
    async read() {
      const found = await readRecord<LeaseRecord>(folder);
      return found === undefined ? undefined : { version: String(found.version), record: found.value };
    },
    async write(record, version) {
      const written = await writeRecord(folder, Number(version ?? 0), record);
      return written === undefined ? undefined : String(written.version);
    },
  };
}
