import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Option } from 'commander';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import type { KubeClient } from '../../operator/platform/kubernetes/client.ts';
import { createLog } from '../../services/kit/log.ts';
import type { Around } from '../environment.ts';
import { namespaceArgument } from '../options.ts';
import { DEFAULT_STATE_DIR } from '../state.ts';

export interface ClusterOptions {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
}

/** As kubectl has them. */
export function clusterOptions(): Option[] {
  return [
    new Option('--kubeconfig <file>', 'kubeconfig of a cluster; by default KUBECONFIG, then ~/.kube/config'),
    new Option('--context <name>', 'context of the kubeconfig; by default its current one'),
    new Option('-n, --namespace <name>', 'namespace in the cluster').argParser(namespaceArgument),
  ];
}

/**
 * Whether a command is about a cluster or about a platform on this machine. What the command line says counts first;
 * then a platform's folder in the current one; then a cluster that the environment names.
 */
export function meansCluster(options: ClusterOptions, { environment, plugin }: Around, hostMeant: boolean): boolean {
  if (hostMeant) return false;
  const env = environment();
  const { kubeconfig, context, namespace } = options;
  if (plugin || kubeconfig !== undefined || context !== undefined || namespace !== undefined) return true;
  if (existsSync(stateFolder(DEFAULT_STATE_DIR).events)) return false;
  return given(env['KUBECONFIG']) || given(env['KUBERNETES_SERVICE_HOST']);
}

/** A bare name of an event is in the namespace that was named, as with kubectl. */
export function inNamespace<E extends { namespace: string; name: string } | undefined>(
  event: E,
  { namespace }: ClusterOptions,
): E {
  if (event === undefined || namespace === undefined || event.namespace !== 'default') return event;
  return { ...event, namespace };
}

/** Mounted into pods that may ask the API server. */
const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** Whether there is a cluster to ask at all. */
export function hasCluster(options: ClusterOptions, env: NodeJS.ProcessEnv): boolean {
  if (options.kubeconfig !== undefined || options.context !== undefined || given(env['KUBECONFIG'])) return true;
  if (given(env['KUBERNETES_SERVICE_HOST'])) return existsSync(SERVICE_ACCOUNT_TOKEN);
  return existsSync(join(env['HOME'] ?? '', '.kube', 'config'));
}

const given = (text: string | undefined): boolean => text !== undefined && text !== '';

/** The kubeconfig that is meant; `undefined` inside of a pod, whose service account is used. */
function kubeconfigOf({ kubeconfig }: ClusterOptions, env: NodeJS.ProcessEnv): string | undefined {
  if (kubeconfig !== undefined) return kubeconfig;
  if (given(env['KUBECONFIG'])) return env['KUBECONFIG'];
  return given(env['KUBERNETES_SERVICE_HOST']) ? undefined : join(env['HOME'] ?? '', '.kube', 'config');
}

/** Asks a cluster, and takes leave of it. */
export async function withCluster<T>(
  options: ClusterOptions,
  env: NodeJS.ProcessEnv,
  ask: (client: KubeClient) => Promise<T>,
): Promise<T> {
  // Its library takes half a second to load, which commands for this machine need not wait for.
  const { createKubeClient } = await import('../../operator/platform/kubernetes/client.ts');
  const log = createLog({ role: 'cli', instance: `cli-${process.pid}`, level: 'silent' });
  const { context } = options;
  const client = createKubeClient({
    ...{ kubeconfigFile: kubeconfigOf(options, env), context, fieldManager: 'seckill-cli', log },
  });
  try {
    return await ask(client);
  } finally {
    await client.close();
  }
}
