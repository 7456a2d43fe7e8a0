import { isDeepStrictEqual } from 'node:util';
import { crd } from '../../operator/api/crd.ts';
import { API_VERSION } from '../../operator/api/seckill-event.ts';
import { messageOf } from '../../operator/effects/message.ts';
import type { KubeClient, KubeObject } from '../../operator/platform/kubernetes/client.ts';
import { isKubeError } from '../../operator/platform/kubernetes/kube-error.ts';
import { PERMISSIONS, type Permission } from '../../operator/platform/kubernetes/permissions.ts';
import { readPoolSettings } from '../../operator/platform/kubernetes/pool-settings.ts';
import { REVIEWS_AT_ONCE_MAX } from '../limits.ts';
import { advised, failed, type PreflightCheck, passed } from './checks.ts';

const METRICS_API = 'metrics.k8s.io/v1beta1';

/** Whether the cluster has what the platform needs of it, whoever asks. */
export async function checkCluster(client: KubeClient): Promise<PreflightCheck[]> {
  try {
    const defined = await client.serves(API_VERSION);
    return [
      passed('Kubernetes', 'the API server answers'),
      await checkDefinition(client, defined),
      await checkMetrics(client),
    ];
  } catch (error) {
    return [failed('Kubernetes', messageOf(error))];
  }
}

async function checkDefinition(client: KubeClient, defined: boolean): Promise<PreflightCheck> {
  const name = 'Definition';
  if (!defined)
    return failed(name, `the cluster knows no ${API_VERSION} SeckillEvent: install the chart, which brings it`);
  const wanted = crd();
  const { apiVersion, kind, metadata } = wanted;
  try {
    const found = await client.get<KubeObject & { spec: unknown }>({
      apiVersion,
      kind,
      namespace: '',
      name: metadata.name,
    });
    if (isDeepStrictEqual(outline(found?.spec), outline(wanted.spec))) {
      return passed(name, 'the definition of SeckillEvent is that of this version');
    }
    return failed(name, 'the definition of SeckillEvent is of another version: upgrade the chart, which brings it');
  } catch (error) {
    if (!isKubeError(error, 'forbidden')) throw error;
    return passed(name, 'SeckillEvent is defined (by which version may not be asked by this user)');
  }
}

/** What a definition has beyond what the API server adds to it: its fields and rules, wherever they stand. */
function outline(value: unknown): string[] {
  const lines: string[] = [];
  const walk = (node: unknown, path: string): void => {
    if (Array.isArray(node)) {
      for (const item of node) walk(item, path);
    } else if (typeof node === 'object' && node !== null) {
      const { properties, rule } = node as { properties?: object; rule?: unknown };
      if (typeof rule === 'string') lines.push(`${path} ${rule}`);
      for (const field of Object.keys(properties ?? {})) lines.push(`${path}.${field}`);
      for (const [key, child] of Object.entries(node)) walk(child, key === 'properties' ? path : `${path}.${key}`);
    }
  };
  walk(value, '');
  return lines.sort();
}

async function checkMetrics(client: KubeClient): Promise<PreflightCheck> {
  const name = 'MetricsApi';
  const remedy = 'pods are scaled by the clock, but not by their load; install metrics-server';
  try {
    if (await client.serves(METRICS_API)) return passed(name, 'the autoscaler can measure pods');
    return advised(name, `the cluster has no ${METRICS_API}: ${remedy}`);
  } catch (error) {
    return advised(name, `${messageOf(error)}: ${remedy}`);
  }
}

/** How the operator's pod is told of its release. */
export interface OperatorPlace {
  namespace: string;
  watchNamespaces: readonly string[];
  leaseName: string;
  tokenSecret: string;
  poolFile: string | undefined;
}

/** Whether we, the operator, may do what an operator does. */
export async function checkPermissions(client: KubeClient, place: OperatorPlace): Promise<PreflightCheck> {
  const name = 'Permissions';
  const questions = PERMISSIONS.flatMap((row) => questionsOf(row, place));
  const missing: string[] = [];
  try {
    while (questions.length > 0) {
      const some = questions.splice(0, REVIEWS_AT_ONCE_MAX);
      const answers = await Promise.all(some.map((question) => mayWe(client, question)));
      for (const [index, question] of some.entries()) if (answers[index] === false) missing.push(wordsOf(question));
    }
  } catch (error) {
    return failed(name, messageOf(error));
  }
  if (missing.length === 0) return passed(name, 'the service account may do all that the operator does');
  return failed(name, `the service account may not ${missing.join(', ')}`);
}

interface Question {
  verb: string;
  group: string;
  resource: string;
  subresource?: string;
  namespace?: string;
  name?: string;
}

function questionsOf({ scope, apiGroup, resource: full, verbs, only }: Permission, place: OperatorPlace): Question[] {
  const watched = place.watchNamespaces.length === 0 ? [undefined] : place.watchNamespaces;
  const namespaces = scope === 'release' ? [place.namespace] : watched;
  const [resource = '', subresource] = full.split('/');
  const name = only === undefined ? undefined : { lease: place.leaseName, 'token-keys': place.tokenSecret }[only];
  return namespaces.flatMap((namespace) =>
    verbs.map((verb) => ({
      ...{ verb, group: apiGroup, resource },
      ...(subresource === undefined ? {} : { subresource }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(name === undefined ? {} : { name }),
    })),
  );
}

async function mayWe(client: KubeClient, resourceAttributes: Question): Promise<boolean> {
  const review = await client.create<KubeObject & { spec: object; status?: { allowed: boolean } }>({
    ...{ apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', metadata: { name: '' } },
    spec: { resourceAttributes },
  });
  return review !== 'exists' && review.status?.allowed === true;
}

function wordsOf({ verb, group, resource, subresource, namespace, name }: Question): string {
  const what = `${resource}${group === '' ? '' : `.${group}`}${subresource === undefined ? '' : `/${subresource}`}`;
  const which = name === undefined ? '' : ` ${name}`;
  return `${verb} ${what}${which} in ${namespace ?? 'all namespaces'}`;
}

/** Whether pods of a sale could be made of what the release says of them. */
export function checkPoolSettings(path: string): PreflightCheck {
  const name = 'PoolSettings';
  try {
    const { podTemplate } = readPoolSettings(path);
    const images = (podTemplate.spec?.containers ?? []).map(({ image }) => image ?? '');
    return passed(name, `pods run ${[...new Set(images)].join(', ')}`);
  } catch (error) {
    return failed(name, messageOf(error).replaceAll('\n', ' '));
  }
}
