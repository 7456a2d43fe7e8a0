import type { V1OwnerReference } from '@kubernetes/client-node';
import type { EventKey } from '../../../api/seckill-event.ts';
import { hashOf } from '../applied-hash.ts';
import { APPLIED_ANNOTATION, EVENT_ANNOTATION, poolLabels, poolNameOf } from '../pool-names.ts';

/** An object of a pool as it is applied: plain JSON, so that nothing on the way drops a field it does not know. */
export interface PoolObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
    ownerReferences?: V1OwnerReference[];
  };
  [field: string]: unknown;
}

/** Whose object it is, where it stands, and what owns it. */
export interface PoolIdentity {
  event: EventKey;
  namespace: string;
  release: string;
  /** The release's common labels; those of the pool come before them. */
  labels: Record<string, string>;
  /** The uid of the pool's anchor; `undefined` for the anchor itself. */
  anchorUid: string | undefined;
}

/**
 * The anchor has the label of its release and no owner: without these Argo CD, where it installs the chart, would take it
 * for something that it should prune, and all of an open sale's pool with it.
 */
const KEPT_BY_ARGO_CD = {
  'argocd.argoproj.io/compare-options': 'IgnoreExtraneous',
  'argocd.argoproj.io/sync-options': 'Prune=false',
};

type Body = Omit<PoolObject, 'apiVersion' | 'kind' | 'metadata'>;

/** An object with the name, labels and owner of its pool, and the hash of all that it was made of. */
export function poolObject(apiVersion: string, kind: string, identity: PoolIdentity, body: Body): PoolObject {
  const { event, namespace, release, labels, anchorUid } = identity;
  const name = poolNameOf(event);
  const owner = anchorUid === undefined ? {} : { ownerReferences: [ownerReference(name, anchorUid)] };
  const metadata = {
    ...{ name, namespace, labels: { ...labels, ...poolLabels(event, release) } },
    annotations: { ...(anchorUid === undefined ? KEPT_BY_ARGO_CD : {}), [EVENT_ANNOTATION]: event },
    ...owner,
  };
  const annotations = { ...metadata.annotations, [APPLIED_ANNOTATION]: hashOf({ metadata, body }) };
  return { apiVersion, kind, metadata: { ...metadata, annotations }, ...body };
}

/** The anchor goes last: whoever deletes it in the foreground waits for everything that names it. */
function ownerReference(name: string, uid: string): V1OwnerReference {
  return { apiVersion: 'v1', kind: 'ConfigMap', name, uid, controller: true, blockOwnerDeletion: true };
}
