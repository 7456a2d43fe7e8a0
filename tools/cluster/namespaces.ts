import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand } from '../servers/command.ts';
import { setupError } from '../servers/errors.ts';
import { NAMESPACE_READY_TIMEOUT_MS, POLL_INTERVAL_MS, STOP_GRACE_MS, STOP_TIMEOUT_MS } from './limits.ts';
import { type ClusterPlace, HOST_ADDRESS, LINK, MARKER, NODE_ADDRESS, POD_CIDR, SERVICE_CIDR } from './place.ts';

/**
 * The settings of the kernel that a kubelet insists on. They are the machine's, not a namespace's: the kubelet is shown
 * files with these values in their place, so that it finds what it wants and the machine keeps what it has.
 */
const KERNEL_SETTINGS: Record<string, number> = {
  'vm/overcommit_memory': 1,
  'vm/panic_on_oom': 0,
  'kernel/panic': 10,
  'kernel/panic_on_oops': 1,
  'kernel/keys/root_maxkeys': 1_000_000,
  'kernel/keys/root_maxbytes': 25_000_000,
};

/** Folders below which the programs of a node write by custom. In the cluster's mount namespace they begin empty. */
export const HIDDEN_FOLDERS = ['/run', '/var/lib', '/var/log'] as const;

/**
 * The first process of the process namespace. When it dies the kernel kills every other, pods included, and with the
 * last of them go the mounts, the network and its rules: one kill is the whole stop. As a shell it buries orphans.
 */
const initScript = (place: ClusterPlace): string => {
  const settings = Object.entries(KERNEL_SETTINGS).map(([name, value]) => {
    const file = join(place.dir, 'kernel', name.replaceAll('/', '.'));
    return `echo ${value} >'${file}' && mount --bind '${file}' /proc/sys/${name}`;
  });
  return `set -eu
mount --make-rprivate /
for folder in ${HIDDEN_FOLDERS.join(' ')}; do mount -t tmpfs tmpfs "$folder"; done
mkdir -p /run/netns '${place.socketDir}' '${place.dir}/kernel'
${settings.join('\n')}
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
echo ready >'${place.dir}/namespaces.ready'
set +e
while :; do sleep 3600 & wait $!; done
`;
};

const ipCommand = async (...args: string[]): Promise<void> => {
  const { code, stderr } = await runCommand('ip', args);
  if (code !== 0) throw setupError(`ip ${args.join(' ')}: ${stderr.trim()}`);
};

const ipInside = async (pid: number, ...args: string[]): Promise<void> => {
  const { code, stderr } = await runCommand('nsenter', [`--net=/proc/${pid}/ns/net`, 'ip', ...args]);
  if (code !== 0) throw setupError(`ip ${args.join(' ')} in the cluster: ${stderr.trim()}`);
};

/** Gives the namespace its link to this machine: two addresses, routes to pods and services, no way further out. */
const link = async (pid: number): Promise<void> => {
  await ipCommand('link', 'add', LINK.host, 'type', 'veth', 'peer', 'name', LINK.node, 'netns', String(pid));
  await ipCommand('addr', 'add', `${HOST_ADDRESS}/${LINK.prefix}`, 'dev', LINK.host);
  await ipCommand('link', 'set', LINK.host, 'up');
  await ipInside(pid, 'addr', 'add', `${NODE_ADDRESS}/${LINK.prefix}`, 'dev', LINK.node);
  await ipInside(pid, 'link', 'set', LINK.node, 'up');
  // For processes on the node: an address of a service is looked up in the routes before the rules translate it.
  await ipInside(pid, 'route', 'add', SERVICE_CIDR, 'dev', LINK.node);
  for (const range of [POD_CIDR, SERVICE_CIDR]) await ipCommand('route', 'add', range, 'via', NODE_ADDRESS);
};

const waitFor = async (what: string, timeoutMs: number, holds: () => Promise<boolean> | boolean): Promise<void> => {
  const deadlineMs = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadlineMs) throw setupError(`${what} did not happen within ${timeoutMs / 1_000} s.`);
    await delay(POLL_INTERVAL_MS);
  }
};

/** Starts a process that outlives this one, its output appended to `logFile`. Answers its pid. */
const spawnDetached = (
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  logFile: string,
): number => {
  const log = openSync(logFile, 'a');
  const child = spawn(command, args, { cwd: '/', env, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  child.unref();
  // Told by the log file, and by the probe that follows each start.
  child.on('error', () => {});
  return child.pid ?? 0;
};

/** Makes the namespaces and their link. Answers the pid of the process that holds them. */
export const makeNamespaces = async (place: ClusterPlace): Promise<number> => {
  await mkdir(place.dir, { recursive: true });
  const script = join(place.dir, 'namespaces.sh');
  await writeFile(script, initScript(place));
  const flags = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', [MARKER]: place.dir };
  const pid = spawnDetached('unshare', [...flags, 'sh', script], env, join(place.dir, 'namespaces.log'));
  await writeFile(place.pidFile, String(pid));
  const ready = async () => (await readFile(join(place.dir, 'namespaces.ready'), 'utf8').catch(() => '')) !== '';
  await waitFor('The making of the namespaces', NAMESPACE_READY_TIMEOUT_MS, ready);
  await link(pid);
  return pid;
};

/** The beginning of a command that is to run in the cluster's namespaces. */
export const enterArgs = (pid: number): string[] => [
  `--net=/proc/${pid}/ns/net`,
  `--mount=/proc/${pid}/ns/mnt`,
  `--pid=/proc/${pid}/ns/pid_for_children`,
];

export interface PartSpec {
  name: string;
  command: string;
  args: readonly string[];
  env: Record<string, string>;
}

/** Starts a part of the cluster in its namespaces; it stays when this process ends. */
export const startInside = (place: ClusterPlace, pid: number, part: PartSpec): void => {
  const args = [...enterArgs(pid), '--', part.command, ...part.args];
  spawnDetached('nsenter', args, { ...part.env, [MARKER]: place.dir }, join(place.dir, `${part.name}.log`));
};

const environmentOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    // It ended meanwhile.
    return '';
  }
};

/** Every process of the cluster that this machine sees by its environment; pods are not among them, and end with these. */
export const processesOf = (place: ClusterPlace): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => environmentOf(pid).split('\0').includes(`${MARKER}=${place.dir}`))
    .map(Number)
    // The commands that look after the cluster are not part of it.
    .filter((pid) => pid !== process.pid);

const killAll = (pids: readonly number[]): void => {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }
};

const programOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
};

/** Ends the namespaces with all that is in them, and takes the link away. */
export const removeNamespaces = async (place: ClusterPlace): Promise<void> => {
  // With the holder of the namespaces the kernel kills all that is in them; those outside who started them see that,
  // bury them and end. Killed themselves, they would leave dead children to a process that may not care.
  killAll(processesOf(place).filter((pid) => programOf(pid) === 'unshare'));
  const graceEndsMs = Date.now() + STOP_GRACE_MS;
  await waitFor('The end of the processes', STOP_TIMEOUT_MS, () => {
    const alive = processesOf(place);
    if (Date.now() > graceEndsMs) killAll(alive);
    return alive.length === 0;
  });
  // The kernel takes the link away with its other end, but only some time after the last process.
  await runCommand('ip', ['link', 'del', LINK.host]);
};
