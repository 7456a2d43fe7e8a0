import { join } from 'node:path';
import type { LaunchSpec } from '../servers/launch.ts';
import { PART_STOP_TIMEOUT_MS } from './limits.ts';

/** Where a control plane is: shared by the one of a test and the one of the node cluster. */
export interface ControlPlanePlace {
  /** Holds a folder for each part. */
  dir: string;
  /** The certificates, see makeCertificates. */
  pki: string;
  /** The address that the API server listens on and is known by. */
  address: string;
  apiserverPort: number;
  etcdPort: number;
  etcdPeerPort: number;
  serviceCidr: string;
  /** What the API server tells about itself in `kubernetes.default`: loopback addresses are refused there. */
  advertiseAddress: string;
}

type Place = ControlPlanePlace;

const part = (place: Place, name: string, command: string, args: readonly string[]): LaunchSpec => ({
  name,
  command,
  args: [...args],
  // HOME: client libraries look for a kubeconfig and keep caches there.
  env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: join(place.dir, name) },
  cwd: join(place.dir, name),
  stopSignal: 'SIGTERM',
  stopTimeoutMs: PART_STOP_TIMEOUT_MS,
});

export const etcdSpec = (place: Place, command: string): LaunchSpec => {
  const peer = `http://127.0.0.1:${place.etcdPeerPort}`;
  const client = `http://127.0.0.1:${place.etcdPort}`;
  return part(place, 'etcd', command, [
    '--name=seckill',
    `--data-dir=${join(place.dir, 'etcd/data')}`,
    // What survives is the process being killed, which is all that is asked of it here; a power failure is not.
    '--unsafe-no-fsync',
    '--log-level=warn',
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=seckill=${peer}`,
  ]);
};

export const apiserverSpec = (place: Place, command: string): LaunchSpec => {
  const pki = (name: string) => join(place.pki, name);
  return part(place, 'kube-apiserver', command, [
    `--etcd-servers=http://127.0.0.1:${place.etcdPort}`,
    `--bind-address=${place.address}`,
    `--advertise-address=${place.advertiseAddress}`,
    `--secure-port=${place.apiserverPort}`,
    `--tls-cert-file=${pki('apiserver.crt')}`,
    `--tls-private-key-file=${pki('apiserver.key')}`,
    `--client-ca-file=${pki('ca.crt')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${pki('sa.pub')}`,
    `--service-account-signing-key-file=${pki('sa.key')}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    `--service-cluster-ip-range=${place.serviceCidr}`,
    '--allow-privileged=true',
    '--profiling=false',
    `--kubelet-client-certificate=${pki('apiserver-kubelet.crt')}`,
    `--kubelet-client-key=${pki('apiserver-kubelet.key')}`,
    `--kubelet-certificate-authority=${pki('ca.crt')}`,
    '--kubelet-preferred-address-types=InternalIP',
    `--requestheader-client-ca-file=${pki('front-proxy-ca.crt')}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${pki('front-proxy.crt')}`,
    `--proxy-client-key-file=${pki('front-proxy.key')}`,
    '--enable-aggregator-routing=true',
  ]);
};

/** Alone in its cluster, so it needs no election; without a port of its own, since nobody asks it anything. */
const clientFlags = (place: Place, user: string): string[] => [
  `--kubeconfig=${join(place.pki, `${user}.kubeconfig`)}`,
  '--leader-elect=false',
  '--secure-port=0',
];

export const controllerManagerSpec = (place: Place, command: string): LaunchSpec =>
  part(place, 'kube-controller-manager', command, [
    ...clientFlags(place, 'controller-manager'),
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${join(place.pki, 'sa.key')}`,
    `--root-ca-file=${join(place.pki, 'ca.crt')}`,
    `--cluster-signing-cert-file=${join(place.pki, 'ca.crt')}`,
    `--cluster-signing-key-file=${join(place.pki, 'ca.key')}`,
    '--controllers=*',
    // A sale of some minutes must see the autoscaler act; the defaults are made for days.
    '--horizontal-pod-autoscaler-sync-period=5s',
    '--horizontal-pod-autoscaler-cpu-initialization-period=10s',
    '--horizontal-pod-autoscaler-initial-readiness-delay=5s',
    '--horizontal-pod-autoscaler-downscale-stabilization=10s',
  ]);

export const schedulerSpec = (place: Place, command: string): LaunchSpec =>
  part(place, 'kube-scheduler', command, clientFlags(place, 'scheduler'));
