import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { identify, isAlive, killGroup, type ProcessIdentity } from '../../operator/platform/host/proc.ts';
import { listRecords, livingProcess } from '../../operator/platform/host/process-record.ts';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import { SeckillError } from '../../services/domain/errors.ts';
import { LEFTOVER_GONE_MS, WATCH_EVERY_MS } from './limits.ts';

/** Where a demo keeps what it makes. Only these are ever removed, and only when a demo has made them. */
export interface DemoFolder {
  /** Says whose folder it is: the process that runs the demo. */
  owner: string;
  state: string;
  manifest: string;
  report: string;
  page: string;
}

function demoFolder(out: string): DemoFolder {
  const root = resolve(out);
  return {
    owner: join(root, 'demo.json'),
    state: join(root, 'state'),
    manifest: join(root, 'event.yaml'),
    report: join(root, 'report.json'),
    page: join(root, 'report.html'),
  };
}

/**
 * Makes the folder new and ours. What an earlier demo left running in it is ended first; a demo that still runs in it
 * is left alone, and so is a folder that holds something else.
 */
export async function takeDemoFolder(out: string): Promise<DemoFolder> {
  const folder = demoFolder(out);
  if (existsSync(out) && !statSync(out).isDirectory()) {
    throw new SeckillError('SECKILL_ERR_CONFIG', `--out ${out} is a file: name a folder, new or from an earlier demo.`);
  }
  const owner = readOwner(folder);
  if (owner !== undefined && isAlive(owner)) {
    const remedy = 'end it with Ctrl-C, or give another folder with --out';
    throw new SeckillError(
      'SECKILL_ERR_UNAVAILABLE',
      `A demo runs in ${out} already (process ${owner.pid}): ${remedy}.`,
    );
  }
  const foreign = owner === undefined ? Object.values(folder).find((path) => existsSync(path)) : undefined;
  if (foreign !== undefined) {
    const sentence = `${foreign} is there and no demo has made it: give another folder with --out.`;
    throw new SeckillError('SECKILL_ERR_UNAVAILABLE', sentence);
  }
  await endLeftovers(folder.state);
  for (const path of [folder.state, folder.manifest, folder.report, folder.page]) {
    rmSync(path, { recursive: true, force: true });
  }
  mkdirSync(out, { recursive: true });
  // First of all that is made: without it the next demo takes the rest for somebody else's.
  writeFileSync(folder.owner, `${JSON.stringify(identify(process.pid))}\n`);
  mkdirSync(folder.state);
  return folder;
}

function readOwner({ owner }: DemoFolder): ProcessIdentity | undefined {
  try {
    const found = JSON.parse(readFileSync(owner, 'utf8')) as Partial<ProcessIdentity> | null;
    // A file of that name may be anybody's.
    return typeof found?.pid === 'number' && found.bootId !== undefined ? (found as ProcessIdentity) : undefined;
  } catch {
    return undefined;
  }
}

/** Ends the processes that a demo had on record when it was killed: theirs is a sale that nobody looks after. */
async function endLeftovers(stateDir: string): Promise<void> {
  const records = await listRecords(stateFolder(stateDir).processes);
  const left = records.map(({ value }) => livingProcess(value)).filter((identity) => identity !== undefined);
  for (const identity of left) killGroup(identity);
  const deadlineMs = Date.now() + LEFTOVER_GONE_MS;
  while (left.some(isAlive) && Date.now() < deadlineMs) await pause(WATCH_EVERY_MS);
}
