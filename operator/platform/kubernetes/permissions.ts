import type { Verb } from './transport.ts';

/**
 * Everything that the operator may ask of the Kubernetes API, and nothing else: the chart's Roles are compared with this
 * table, word by word. A call that is not in it is answered with 403 in a real cluster.
 */

export interface Permission {
  /** `release` is the namespace of the release; `watched` is each namespace whose events the operator looks after. */
  scope: 'release' | 'watched';
  apiGroup: string;
  /** As in a Role: plural, with its subresource. */
  resource: string;
  verbs: readonly Verb[];
  /** Only the object of this purpose, by its name; `create` cannot be narrowed so, and never is in such a row. */
  only?: 'lease' | 'token-keys';
  /** Why the operator needs it: a half sentence. */
  why: string;
}

/** A server-side apply is a `patch`, and a `create` when the object is not there yet. */
const OWNED: readonly Verb[] = ['list', 'watch', 'create', 'patch', 'delete'];

export const PERMISSIONS: readonly Permission[] = [
  {
    scope: 'watched',
    apiGroup: 'seckill.io',
    resource: 'seckillevents',
    verbs: ['get', 'list', 'watch', 'patch'],
    why: 'follows events, and writes their finalizer',
  },
  {
    scope: 'watched',
    apiGroup: 'seckill.io',
    resource: 'seckillevents/status',
    verbs: ['patch'],
    why: 'writes phase, stock and conditions',
  },
  {
    scope: 'watched',
    apiGroup: '',
    resource: 'events',
    verbs: ['create', 'patch'],
    why: 'tells of phase changes and failed checks as notices on the event',
  },
  {
    scope: 'release',
    apiGroup: '',
    resource: 'configmaps',
    verbs: OWNED,
    why: "keeps the anchor that owns a pool's objects",
  },
  {
    scope: 'release',
    apiGroup: '',
    resource: 'configmaps/finalizers',
    verbs: ['update'],
    why: 'names an anchor as a blocking owner, which clusters with OwnerReferencesPermissionEnforcement ask for',
  },
  { scope: 'release', apiGroup: '', resource: 'services', verbs: OWNED, why: "keeps a pool's headless Service" },
  {
    scope: 'release',
    apiGroup: '',
    resource: 'pods',
    verbs: ['list', 'watch'],
    why: 'tells why the pods of a pool are not ready',
  },
  {
    scope: 'release',
    apiGroup: 'apps',
    resource: 'deployments',
    verbs: ['get', ...OWNED],
    why: "keeps a pool's Deployment, and lifts it to its floor when it was just made",
  },
  {
    scope: 'release',
    apiGroup: 'autoscaling',
    resource: 'horizontalpodautoscalers',
    verbs: OWNED,
    why: "keeps a pool's floor and ceiling",
  },
  {
    scope: 'release',
    apiGroup: 'policy',
    resource: 'poddisruptionbudgets',
    verbs: OWNED,
    why: "keeps a pool's disruption budget",
  },
  {
    scope: 'release',
    apiGroup: 'networking.k8s.io',
    resource: 'networkpolicies',
    verbs: OWNED,
    why: "keeps a pool's network policy",
  },
  {
    scope: 'release',
    apiGroup: 'coordination.k8s.io',
    resource: 'leases',
    verbs: ['create'],
    why: 'makes the Lease of the leader',
  },
  {
    scope: 'release',
    apiGroup: 'coordination.k8s.io',
    resource: 'leases',
    verbs: ['get', 'update'],
    only: 'lease',
    why: 'holds and renews the Lease of the leader',
  },
  {
    scope: 'release',
    apiGroup: '',
    resource: 'secrets',
    verbs: ['create'],
    why: 'makes the token keys when they are absent',
  },
  {
    scope: 'release',
    apiGroup: '',
    resource: 'secrets',
    verbs: ['get'],
    only: 'token-keys',
    why: 'looks whether the token keys are there',
  },
];
