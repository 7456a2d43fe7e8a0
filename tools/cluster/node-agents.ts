import { join } from 'node:path';
import { NODE_NAME } from '../kubernetes/certificates.ts';
import type { PartSpec } from './namespaces.ts';
import type { NodeParts } from './node-parts.ts';
import { type ClusterPlace, METRICS_PORT, NODE_ADDRESS } from './place.ts';

export const containerdPart = (place: ClusterPlace, parts: NodeParts): PartSpec => ({
  name: 'containerd',
  command: parts.containerd,
  args: ['--config', join(place.dir, 'containerd.toml')],
  env: parts.env,
});

/** What makes the machine a node: run from the folder of Kubernetes' programs. */
export const nodeAgents = (place: ClusterPlace, parts: NodeParts, programs: string): PartSpec[] => [
  {
    name: 'kubelet',
    command: join(programs, 'kubelet'),
    args: [
      `--config=${join(place.dir, 'kubelet.json')}`,
      `--kubeconfig=${join(place.pki, 'kubelet.kubeconfig')}`,
      `--hostname-override=${NODE_NAME}`,
      `--node-ip=${NODE_ADDRESS}`,
      `--root-dir=${join(place.dir, 'kubelet')}`,
      `--cert-dir=${join(place.dir, 'kubelet/pki')}`,
    ],
    env: parts.env,
  },
  {
    name: 'kube-proxy',
    command: join(programs, 'kube-proxy'),
    args: [`--config=${join(place.dir, 'kube-proxy.json')}`, `--hostname-override=${NODE_NAME}`],
    env: parts.env,
  },
  {
    name: 'coredns',
    command: join(programs, 'coredns'),
    args: ['-conf', join(place.dir, 'Corefile')],
    env: { PATH: parts.env.PATH },
  },
];

export const metricsPart = (place: ClusterPlace, parts: NodeParts, program: string): PartSpec => {
  const admin = join(place.pki, 'admin.kubeconfig');
  return {
    name: 'metrics-server',
    command: program,
    args: [
      ...['--kubeconfig', '--authentication-kubeconfig', '--authorization-kubeconfig'].map(
        (flag) => `${flag}=${admin}`,
      ),
      `--bind-address=${NODE_ADDRESS}`,
      `--secure-port=${METRICS_PORT}`,
      `--cert-dir=${join(place.dir, 'metrics-server')}`,
      `--kubelet-certificate-authority=${join(place.pki, 'ca.crt')}`,
      '--kubelet-preferred-address-types=InternalIP',
      '--metric-resolution=10s',
      '--kubelet-request-timeout=5s',
    ],
    env: { PATH: parts.env.PATH },
  };
};
