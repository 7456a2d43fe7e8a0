import { join } from 'node:path';

/** There is one such cluster on a machine: its addresses, its link and its cgroups have fixed names. */
export const CLUSTER_NAME = 'seckill-cluster';

/** The link between the machine and the namespace: a network of two addresses. */
export const LINK = { host: 'skc0', node: 'skc1', prefix: 30 } as const;
export const HOST_ADDRESS = '10.201.0.1';
export const NODE_ADDRESS = '10.201.0.2';
export const POD_CIDR = '10.245.0.0/24';
export const SERVICE_CIDR = '10.97.0.0/16';
export const SERVICE_FIRST_ADDRESS = '10.97.0.1';
export const API_PORT = 26_443;
export const ETCD_PORT = 22_379;
export const ETCD_PEER_PORT = 22_380;
export const METRICS_PORT = 14_443;

/** Every process of the cluster has this variable in its environment: how `down` finds what a killed `up` left. */
export const MARKER = 'SECKILL_CLUSTER';

export interface ClusterPlace {
  /** Everything that the cluster writes; removed by `down`. */
  dir: string;
  pki: string;
  /** The administrator's. */
  kubeconfigFile: string;
  /** Of containerd. A socket's path may have a hundred bytes, so it is not below a cache folder that is named freely. */
  socketDir: string;
  socket: string;
  /** The pid of the process that holds the namespaces. */
  pidFile: string;
  url: string;
}

export const clusterPlace = (cacheFolder: string): ClusterPlace => {
  const dir = join(cacheFolder, 'cluster');
  const socketDir = `/run/${CLUSTER_NAME}`;
  return {
    dir,
    pki: join(dir, 'pki'),
    kubeconfigFile: join(dir, 'pki/admin.kubeconfig'),
    socketDir,
    socket: join(socketDir, 'containerd.sock'),
    pidFile: join(dir, 'namespaces.pid'),
    url: `https://${NODE_ADDRESS}:${API_PORT}`,
  };
};
