import assert from 'node:assert/strict';

/** The kinds that the operator deals with, as the API's paths name them. A table spares the discovery calls. */
const RESOURCES: Record<string, string> = {
  'v1/ConfigMap': 'configmaps',
  'v1/Event': 'events',
  'v1/Namespace': 'namespaces',
  'v1/Pod': 'pods',
  'v1/Secret': 'secrets',
  'v1/Service': 'services',
  'v1/ServiceAccount': 'serviceaccounts',
  'apiextensions.k8s.io/v1/CustomResourceDefinition': 'customresourcedefinitions',
  'apps/v1/Deployment': 'deployments',
  'apps/v1/ReplicaSet': 'replicasets',
  'authorization.k8s.io/v1/SelfSubjectAccessReview': 'selfsubjectaccessreviews',
  'autoscaling/v2/HorizontalPodAutoscaler': 'horizontalpodautoscalers',
  'coordination.k8s.io/v1/Lease': 'leases',
  'networking.k8s.io/v1/NetworkPolicy': 'networkpolicies',
  'policy/v1/PodDisruptionBudget': 'poddisruptionbudgets',
  'rbac.authorization.k8s.io/v1/ClusterRole': 'clusterroles',
  'rbac.authorization.k8s.io/v1/ClusterRoleBinding': 'clusterrolebindings',
  'rbac.authorization.k8s.io/v1/Role': 'roles',
  'rbac.authorization.k8s.io/v1/RoleBinding': 'rolebindings',
  'seckill.io/v1alpha1/SeckillEvent': 'seckillevents',
};

export interface KindRef {
  apiVersion: string;
  kind: string;
}

/** An object by its kind and name. Kinds without namespaces have an empty one. */
export interface ObjectRef extends KindRef {
  namespace: string;
  name: string;
}

/** `deployments`; a kind that is not in the table is a mistake of the program. */
export function resourceOf({ apiVersion, kind }: KindRef): string {
  const resource = RESOURCES[`${apiVersion}/${kind}`];
  assert(resource !== undefined, `${apiVersion} ${kind} is not in the table of kinds`);
  return resource;
}

/** `apps` of `apps/v1`, and nothing of `v1`. */
export function groupOf({ apiVersion }: KindRef): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}

/** The path of a kind in one namespace, or in all when there is none. */
export function collectionPath(kind: KindRef, namespace = ''): string {
  const root = kind.apiVersion.includes('/') ? '/apis' : '/api';
  const inside = namespace === '' ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}/${kind.apiVersion}${inside}/${resourceOf(kind)}`;
}

export function objectPath(ref: ObjectRef): string {
  return `${collectionPath(ref, ref.namespace)}/${encodeURIComponent(ref.name)}`;
}
