import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findByEnvironment, isAlive, type ProcessIdentity } from './proc.ts';
import { isMissing, readRecord, type Versioned } from './versioned-record.ts';

/** One slot of the process table: what runs in it now, or ran last. Written before the process serves anybody. */
export interface ProcessRecord {
  instance: string;
  role: string;
  group: string;
  /** The event that a pod serves. */
  serves?: string;
  state: 'starting' | 'running' | 'stopping' | 'stopped';
  ready: boolean;
  /** In the environment of the process as SECKILL_NONCE: finds one whose parent died before it could note the pid. */
  nonce: string;
  identity?: ProcessIdentity;
  url: string;
  port: number;
  startedMs: number;
  /** Deaths in a row, and when the next start is due. */
  deaths: number;
  nextStartMs: number;
  lastEnd?: string;
  stopSignal: 'SIGTERM' | 'SIGQUIT' | 'SIGINT';
  stopTimeoutMs: number;
  /** When a stopping process gets its signal, and when it is killed. */
  signalAtMs?: number;
  killAtMs?: number;
}

/**
 * The process of a record, if it lives: after a reboot, or a kill, the record alone still calls it running. One whose
 * starter died before it could note the pid is found by its nonce.
 */
export function livingProcess({ state, identity, nonce }: ProcessRecord): ProcessIdentity | undefined {
  if (state === 'stopped') return undefined;
  const found = identity ?? findByEnvironment('SECKILL_NONCE', nonce);
  return found !== undefined && isAlive(found) ? found : undefined;
}

export function recordFolder(processes: string, instance: string): string {
  return join(processes, instance);
}

export async function listRecords(processes: string): Promise<Versioned<ProcessRecord>[]> {
  let names: string[];
  try {
    names = await readdir(processes);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  const records = await Promise.all(names.sort().map((name) => readRecord<ProcessRecord>(join(processes, name))));
  return records.filter((record) => record !== undefined);
}
