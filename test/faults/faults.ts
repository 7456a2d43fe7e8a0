/** One fault of the list, and what its test measures. */
interface Fault {
  /** What is broken, and when. */
  fault: string;
  /** From when to when the seconds of its row are. */
  measured: string;
}

/** Every fault whose effect on a sale is documented, in the order of docs/faults.md. */
export const FAULTS = {
  // What the user brings.
  'redis-password': {
    fault: 'Redis takes another password than the Secret has, in an open sale',
    measured: 'password put right in Redis → `Ready` is true',
  },
  'mysql-password': {
    fault: 'MySQL takes another password than the Secret has, in an open sale',
    measured: 'password put right in MySQL → `Ready` is true',
  },
  'kafka-password': {
    fault: 'Kafka takes another password than the Secret has',
    measured: 'a process is started with the right password → Kafka answers it',
  },
  'redis-away': {
    fault: 'Redis does not answer, in an open sale',
    measured: 'Redis answers again → `Ready` is true',
  },
  'redis-restarted': {
    fault: 'Redis is killed in an open sale and comes back',
    measured: 'kill → open again, with the stock rebuilt',
  },
  'redis-evicts': {
    fault: 'Redis has `maxmemory-policy allkeys-lru` when a sale is to be armed',
    measured: '`noeviction` is set → armed and open',
  },
  'kafka-away': {
    fault: 'Kafka does not answer when a sale is to be armed',
    measured: 'Kafka answers again → armed and open',
  },
  'kafka-in-sync': {
    fault: 'the topic has fewer in-sync replicas than it wants when a sale is to be armed',
    measured: '`min.insync.replicas` is put right → armed and open',
  },
  'mysql-away': {
    fault: 'MySQL does not answer, in an open sale',
    measured: 'MySQL answers again → `Ready` is true',
  },
  // Pods and what belongs to them.
  'secret-missing': {
    fault: 'the Secret that the pods of a sale take Redis from is missing',
    measured: 'the pods start → armed and open',
  },
  'image-missing': {
    fault: 'the image of the pods of a sale cannot be pulled',
    measured: 'the pods start → armed and open',
  },
  quota: {
    fault: 'a quota leaves room for one pod of two',
    measured: 'quota removed → `PodsReady` is true',
  },
  'rbac-verb': {
    fault: 'the operator may neither create nor patch PodDisruptionBudgets',
    measured: 'granted → the object is there and `PodsReady` is true',
  },
  'anchor-deleted': {
    fault: 'the anchor of a pool (ConfigMap) is deleted in an open sale, and with it all that it owns',
    measured: 'deleted → all objects are there anew and all pods are ready',
  },
  'owned-deleted': {
    fault:
      'Service, NetworkPolicy, Deployment, autoscaler and disruption budget of a pool are deleted, one after the other',
    measured: 'deleted → there anew; the slowest of the five',
  },
  'edited-by-hand': {
    fault: 'image, selector of the Service, ceiling of the autoscaler and disruption budget are edited by hand',
    measured: 'edited → put right; the slowest of the four',
  },
  // The API server.
  'crd-missing': {
    fault: 'the CustomResourceDefinition is missing',
    measured: 'it is there, and an event is applied → the event has a phase',
  },
  'apiserver-killed': {
    fault: 'the API server is killed and started again in an open sale',
    measured: 'it is ready again → an edit made then is followed',
  },
  'watch-expired': {
    fault: 'the operator is cut off for so long that its place in the watch is gone (410)',
    measured: 'network back → a change that was missed is seen',
  },
  'half-open': {
    fault: 'the connection of the leader to the API server is dead without a word',
    measured: 'connection dead → an edit made then is followed',
  },
  'conflict-storm': {
    fault: 'four people write to one event all the time, while the operator does',
    measured: 'first write → all 37 writes are done, none is lost',
  },
  'slow-apiserver': {
    fault: 'each answer of the API server takes longer than the operator waits (here 3 s and 0.4 s)',
    measured: 'server fast again → the status is written',
  },
  // Operators.
  'killed-preheating': {
    fault: 'the operator is killed with -9 at each step of preheat and arming',
    measured: 'the last one starts → open',
  },
  'killed-adjusting': {
    fault: 'the operator is killed with -9 at each step of a change of the stock, while it sells',
    measured: 'the last one starts → the manifest is followed, which the last but one had done when it was killed',
  },
  'killed-recovering': {
    fault: 'the operator is killed with -9 at each step of the recovery of a Redis that forgot',
    measured: 'the last one starts → rebuilt, which the last but one had done when it was killed',
  },
  'killed-settling': {
    fault: 'the operator is killed with -9 at each step of the settlement',
    measured: 'the last one starts → settled, six numbers zero',
  },
  'leader-killed': {
    fault: 'the leader is killed with -9 in an open sale, another replica waits',
    measured: 'kill → an edit made then is followed',
  },
  'operators-dead': {
    fault: 'all operators are dead from five seconds before the start',
    measured: 'start time → the first unit is sold, with no operator alive',
  },
  'two-leaders': {
    fault: 'two operators lead at the same time, and a Deployment is deleted',
    measured: 'deleted → there anew, with its pods; nothing is done twice',
  },
  // The object itself.
  recreated: {
    fault: 'the object is deleted without its finalizer and applied anew, in an open sale',
    measured: 'applied → open with the same stock, all pods ready',
  },
  'namespace-deleted': {
    fault: "the event's namespace is deleted in an open sale",
    measured: 'deleted → sale settled, namespace and pool gone',
  },
  'redis-gone-at-deletion': {
    fault: 'Redis does not answer while the object of an open sale is deleted',
    measured: 'Redis answers again → sale settled, object gone',
  },
} as const satisfies Record<string, Fault>;

export type FaultId = keyof typeof FAULTS;

/** What a test saw of a fault. */
export interface Seen {
  /** What the status said, or whoever speaks where no status can be written. */
  said: string;
  seconds: number;
}
