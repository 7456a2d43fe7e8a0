import { bootId, identify, isAlive, type ProcessIdentity } from '../../operator/platform/host/proc.ts';
import { readRecord, writeRecord } from '../../operator/platform/host/versioned-record.ts';
import { SeckillError } from '../../services/domain/errors.ts';

interface UpRecord {
  owner: ProcessIdentity | null;
}

/**
 * One `up` a folder. The record names its process; when that is dead, however it died, the next one takes over. Throws
 * a sentence when another one is alive.
 */
export async function takeFolder(folder: string): Promise<{ release(): Promise<void> }> {
  const me = identify(process.pid) ?? { pid: process.pid, startTicks: '0', bootId: bootId() };
  const found = await readRecord<UpRecord>(folder);
  const owner = found?.value.owner ?? undefined;
  if (owner !== undefined && isAlive(owner)) throw inUse(owner.pid);
  const written = await writeRecord<UpRecord>(folder, found?.version ?? 0, { owner: me });
  if (written === undefined) throw inUse((await readRecord<UpRecord>(folder))?.value.owner?.pid);
  return {
    async release() {
      await writeRecord<UpRecord>(folder, written.version, { owner: null });
    },
  };
}

function inUse(pid: number | undefined): SeckillError {
  const who = pid === undefined ? 'Another "seckill up"' : `Another "seckill up" (pid ${pid})`;
  return new SeckillError('SECKILL_ERR_CONFIG', `${who} is alive on this folder. Stop it, or name another --state.`);
}
