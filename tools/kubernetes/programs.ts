import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isExecutable } from '../servers/command.ts';
import { setupError } from '../servers/errors.ts';
import type { ServerOptions } from '../servers/options.ts';
import { goProgram } from './go-build.ts';

/** The last release whose kubelet runs on a machine with cgroup v1. The same in hyperkube/go.mod. */
export const KUBERNETES_VERSION = '1.34.4';

const programs = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubectl',
  'kubelet',
  'kube-proxy',
  'coredns',
] as const;
export type KubernetesProgram = (typeof programs)[number];

/** What comes with KUBEBUILDER_ASSETS, by that variable's convention. */
const assets: readonly KubernetesProgram[] = ['etcd', 'kube-apiserver', 'kubectl'];

const versionVariables = (): Record<string, string> => {
  const [major = '', minor = ''] = KUBERNETES_VERSION.split('.');
  const told = {
    gitVersion: `v${KUBERNETES_VERSION}`,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: 'clean',
    gitCommit: '0'.repeat(40),
    buildDate: '1970-01-01T00:00:00Z',
  };
  const packages = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'];
  return Object.fromEntries(
    packages.flatMap((path) => Object.entries(told).map(([name, value]) => [`${path}.${name}`, value])),
  );
};

/** The folder with a link for every program of Kubernetes, built into the cache the first time. */
export const kubernetesFolder = (options: ServerOptions): Promise<string> =>
  goProgram(options, {
    name: 'hyperkube',
    label: `kubernetes-${KUBERNETES_VERSION}`,
    module: join(import.meta.dirname, 'hyperkube'),
    package: '.',
    variables: versionVariables(),
    note: 'once, 100 MB of Go modules and up to ten minutes; nothing is installed',
    finish: async (folder) => {
      for (const program of programs) await symlink('hyperkube', join(folder, program));
    },
  });

/** The folder with `metrics-server`, a module of its own because it needs another Kubernetes than ours. */
export const metricsServerFolder = (options: ServerOptions): Promise<string> =>
  goProgram(options, {
    name: 'metrics-server',
    label: 'metrics-server',
    module: join(import.meta.dirname, 'metrics-server'),
    package: 'sigs.k8s.io/metrics-server/cmd/metrics-server',
    note: 'once, up to five minutes; nothing is installed',
  });

/** The folder with `pause`, the process that holds the namespaces of a pod. */
export const pauseFolder = (options: ServerOptions): Promise<string> =>
  goProgram(options, {
    name: 'pause',
    label: 'pause',
    module: join(import.meta.dirname, 'pause'),
    package: '.',
    note: 'once, some seconds',
  });

/**
 * The absolute path of a program: the user's (KUBEBUILDER_ASSETS) or the cache's. PATH is not asked: what it holds is of
 * any age, and these programs must fit one another. Throws a sentence when the named folder lacks what it should hold,
 * or when it cannot be built.
 */
export const findKubernetesProgram = async (options: ServerOptions, name: KubernetesProgram): Promise<string> => {
  const named = options.kubernetesAssets;
  if (named !== undefined && assets.includes(name)) {
    const path = join(named, name);
    if (isExecutable(path)) return path;
    throw setupError(`KUBEBUILDER_ASSETS names ${named}, which has no ${name}.`);
  }
  return join(await kubernetesFolder(options), name);
};

/** kubectl: KUBEBUILDER_ASSETS or the cache's. */
export const findKubectl = (options: ServerOptions): Promise<string> => findKubernetesProgram(options, 'kubectl');
