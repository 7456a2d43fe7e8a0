import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import {
  API_PORT,
  CLUSTER_NAME,
  type ClusterPlace,
  NODE_ADDRESS,
  SERVICE_FIRST_ADDRESS,
} from '../../tools/cluster/place.ts';
import type { Tools } from './commands.ts';
import { SAMPLE_INTERVAL_MS } from './limits.ts';
import type { Connection, PodOfNetwork } from './network-policies.ts';

/** A line of /proc/PID/net/tcp: addresses as dotted numbers. */
interface Socket {
  localPort: number;
  remote: string;
  remotePort: number;
  listens: boolean;
  established: boolean;
}

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // It ended meanwhile.
    return '';
  }
};

/** The kernel prints an address as words of four bytes, each with its last byte first; IPv4 is the last word of IPv6. */
const addressOf = (hex: string): string =>
  (hex.slice(-8).match(/../g) ?? [])
    .toReversed()
    .map((byte) => Number.parseInt(byte, 16))
    .join('.');

const LISTEN = '0A';
const ESTABLISHED = '01';

const socketsOf = (pid: string): Socket[] =>
  ['tcp', 'tcp6']
    .flatMap((table) => read(`/proc/${pid}/net/${table}`).split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length > 3)
    .map(([, local = '', remote = '', state = '']) => {
      const [address = '', port = ''] = remote.split(':');
      return {
        localPort: Number.parseInt(local.split(':')[1] ?? '', 16),
        remote: addressOf(address),
        remotePort: Number.parseInt(port, 16),
        listens: state === LISTEN,
        established: state === ESTABLISHED,
      };
    });

const podUidOf = (pid: string): string | undefined =>
  new RegExp(`/${CLUSTER_NAME}/kubepods.*/pod([0-9a-f-]{36})/`).exec(read(`/proc/${pid}/cgroup`))?.[1];

/** The network that a process is in; undefined when it ended meanwhile. */
const networkOf = (pid: string): string | undefined => {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
};

interface PodList {
  items: {
    metadata: { uid: string; namespace: string; labels?: Record<string, string> };
    spec: { containers: { ports?: { name?: string; containerPort: number }[] }[] };
    status: { podIP?: string };
  }[];
}

/** A connection in words, by the components of its ends. */
export const described = ({ from, to, port }: Connection): string => {
  const name = (end: PodOfNetwork | string) =>
    typeof end === 'string' ? end : (end.labels['app.kubernetes.io/component'] ?? JSON.stringify(end.labels));
  return `${name(from)} → ${name(to)}:${port}`;
};

export interface Connections {
  /** Every connection between pods, and from pods to the node's address, that was seen so far; each kind once. */
  seen(): Connection[];
  end(): void;
}

/** Looks again and again which TCP connections the pods have. Short ones may pass unseen; the lasting ones do not. */
export const watchConnections = (tools: Tools, place: ClusterPlace): Connections => {
  const networkOfNode = networkOf(readFileSync(place.pidFile, 'utf8'));
  const byUid = new Map<string, PodOfNetwork>();
  const byAddress = new Map<string, PodOfNetwork>();
  const seen = new Map<string, Connection>();

  const learnPods = async (): Promise<void> => {
    const { items } = JSON.parse(await tools.kubectl('get', 'pods', '-A', '-o', 'json')) as PodList;
    for (const { metadata, spec, status } of items) {
      const ports = spec.containers.flatMap((container) => container.ports ?? []);
      const pod: PodOfNetwork = {
        namespace: metadata.namespace,
        labels: metadata.labels ?? {},
        ports: Object.fromEntries(ports.map(({ name = '', containerPort }) => [name, containerPort])),
      };
      byUid.set(metadata.uid, pod);
      if (status.podIP !== undefined) byAddress.set(status.podIP, pod);
    }
  };

  const note = (connection: Connection): void => void seen.set(described(connection), connection);

  const look = async (): Promise<void> => {
    const pods = new Map<string, string>();
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const uid = podUidOf(pid);
      // A process that starts in a pod is counted as the pod's before it has left the network of the node.
      const network = uid === undefined ? undefined : networkOf(pid);
      if (uid !== undefined && network !== undefined && network !== networkOfNode) pods.set(uid, pid);
    }
    if ([...pods.keys()].some((uid) => !byUid.has(uid))) await learnPods();
    for (const [uid, pid] of pods) {
      const pod = byUid.get(uid);
      const sockets = socketsOf(pid);
      const listening = new Set(sockets.filter(({ listens }) => listens).map(({ localPort }) => localPort));
      for (const { localPort, remote, remotePort } of sockets.filter(({ established }) => established)) {
        if (pod === undefined) continue;
        const client = byAddress.get(remote);
        if (listening.has(localPort) && client !== undefined) note({ from: client, to: pod, port: localPort });
        else if (remote === NODE_ADDRESS) note({ from: pod, to: remote, port: remotePort });
        // The rules of the node translate the API's service address before a policy would look at it.
        else if (remote === SERVICE_FIRST_ADDRESS) note({ from: pod, to: NODE_ADDRESS, port: API_PORT });
      }
    }
  };

  let looking = Promise.resolve();
  const timer = setInterval(() => {
    // A failed look is one look less; whether there were any is checked with what they saw.
    looking = looking.then(look).catch(() => {});
  }, SAMPLE_INTERVAL_MS);
  return { seen: () => [...seen.values()], end: () => clearInterval(timer) };
};
