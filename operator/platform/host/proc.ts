import { readdirSync, readFileSync } from 'node:fs';

/**
 * Which process is which. A pid alone says nothing, since the kernel gives it out again: pid, start time and boot
 * together name one process for ever.
 */
export interface ProcessIdentity {
  pid: number;
  /** Start time in clock ticks since the boot, field 22 of /proc/PID/stat. */
  startTicks: string;
  bootId: string;
}

interface Stat {
  state: string;
  group: number;
  startTicks: string;
}

let boot: string | undefined;

export function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}

/** The process of this pid as it is now, or `undefined` when there is none (a zombie is none). */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  return stat === undefined || isDead(stat) ? undefined : { pid, startTicks: stat.startTicks, bootId: bootId() };
}

export function isAlive({ pid, startTicks, bootId: recorded }: ProcessIdentity): boolean {
  if (recorded !== bootId()) return false;
  const stat = readStat(pid);
  return stat !== undefined && !isDead(stat) && stat.startTicks === startTicks;
}

/** Sends the signal to exactly this process. False when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  return isAlive(identity) && kill(identity.pid, signal);
}

/**
 * Kills what is left of the group that the process led: workers of a master, or the process itself. A member that
 * is older than its leader belongs to somebody else's group of the same number.
 */
export function killGroup(leader: ProcessIdentity): void {
  if (leader.bootId !== bootId()) return;
  for (const { pid, stat } of allProcesses()) {
    if (stat.group !== leader.pid || isDead(stat) || Number(stat.startTicks) < Number(leader.startTicks)) continue;
    kill(pid, 'SIGKILL');
  }
}

/** The living process whose environment says NAME=value, or `undefined`. Only processes of the same user are seen. */
export function findByEnvironment(name: string, value: string): ProcessIdentity | undefined {
  const wanted = `${name}=${value}`;
  for (const { pid, stat } of allProcesses()) {
    if (isDead(stat)) continue;
    if (environmentOf(pid).includes(wanted)) return { pid, startTicks: stat.startTicks, bootId: bootId() };
  }
  return undefined;
}

function* allProcesses(): Generator<{ pid: number; stat: Stat }> {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readStat(Number(name));
    if (stat !== undefined) yield { pid: Number(name), stat };
  }
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    // Gone since, or another user's: in both cases not the one we look for.
    return [];
  }
}

function readStat(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field is the program's name in brackets, which may itself hold brackets and spaces.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, , group] = fields;
  const startTicks = fields[19];
  if (state === undefined || group === undefined || startTicks === undefined) return undefined;
  return { state, group: Number(group), startTicks };
}

function isDead({ state }: Stat): boolean {
  return state === 'Z' || state === 'X' || state === 'x';
}

function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    // It ended between the look and the signal.
    return false;
  }
}
