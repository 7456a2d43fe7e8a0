import { spawn } from 'node:child_process';
import type { KubeClient, KubeObject } from '../../operator/platform/kubernetes/client.ts';
import { SeckillError } from '../../services/domain/errors.ts';
import type { ClusterOptions } from './place.ts';

/** A release of the chart, by its operator. */
export interface FoundRelease {
  namespace: string;
  deployment: string;
  /** The name of the Secret with the token keys. */
  tokenSecret: string;
}

interface Deployment extends KubeObject {
  spec: { template: { spec: { containers: { name: string; env?: { name: string; value?: string }[] }[] } } };
}

const OPERATOR_LABELS = 'app.kubernetes.io/name=seckill,app.kubernetes.io/component=operator';

/** The one release of a cluster, or of a namespace. `undefined`: there is none. SECKILL_ERR_CONFIG: there are several. */
export async function findRelease(client: KubeClient, namespace?: string): Promise<FoundRelease | undefined> {
  const { items } = await client.list<Deployment>({
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', labelSelector: OPERATOR_LABELS },
    ...(namespace === undefined ? {} : { namespace }),
  });
  const found = items.map(({ metadata, spec }) => {
    const env = spec.template.spec.containers.flatMap((container) => container.env ?? []);
    return {
      namespace: metadata.namespace ?? '',
      deployment: metadata.name,
      tokenSecret: env.find(({ name }) => name === 'SECKILL_TOKEN_SECRET')?.value ?? '',
    };
  });
  if (found.length <= 1) return found[0];
  const names = found.map((release) => `${release.namespace}/${release.deployment}`).join(', ');
  throw new SeckillError(
    'SECKILL_ERR_CONFIG',
    `There are several releases (${names}): name one by --release-namespace.`,
  );
}

export async function requireRelease(client: KubeClient, namespace?: string): Promise<FoundRelease> {
  const release = await findRelease(client, namespace);
  if (release !== undefined) return release;
  const where = namespace === undefined ? 'the cluster' : `the namespace ${namespace}`;
  throw new SeckillError('SECKILL_ERR_UNAVAILABLE', `No release of seckill runs in ${where}: install its chart first.`);
}

/**
 * Runs a command of this program in the operator's pod, where the servers can be reached and their passwords are. Answers
 * its exit code. Needs kubectl, and the right to use pods/exec.
 */
export function runInOperator(
  { namespace, deployment }: FoundRelease,
  args: readonly string[],
  { kubeconfig, context }: ClusterOptions,
): Promise<number> {
  const which = [
    ...(kubeconfig === undefined ? [] : ['--kubeconfig', kubeconfig]),
    ...(context === undefined ? [] : ['--context', context]),
  ];
  const inside = ['node', 'cli/main.ts', ...args];
  const all = [...which, 'exec', '-n', namespace, `deployment/${deployment}`, '-c', 'operator', '--', ...inside];
  return new Promise((resolve, reject) => {
    const child = spawn('kubectl', all, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', (cause) => {
      const sentence = 'This is asked from inside of the cluster, by kubectl, which is not on PATH.';
      reject(new SeckillError('SECKILL_ERR_UNAVAILABLE', sentence, { cause }));
    });
    child.once('close', (code) => resolve(code ?? 1));
  });
}
