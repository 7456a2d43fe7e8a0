import type { EventKey, RefusedEvent, SeckillEvent } from '../api/seckill-event.ts';
import type { SeckillEventStatus } from '../api/status.ts';

/**
 * What stands below the operator: where SeckillEvents are kept, and where pods run. `host` and `kubernetes` implement
 * it; the reconciler cannot tell them apart, and one contract suite runs against both. Every write is safe when
 * several operators make it at once, and writes nothing when nothing would change.
 */
export interface Platform {
  events: EventStore;
  workloads: Workloads;
  notices: Notices;
  lease: LeaseStore;
  close(): Promise<void>;
}

export interface EventStore {
  list(): Promise<SeckillEvent[]>;
  get(key: EventKey): Promise<SeckillEvent | RefusedEvent | undefined>;
  /**
   * Tells of every event that is there, then of every change of spec, annotations, finalizers or deletion, and of
   * objects that are gone. Changes of status are not told: the operator's own writes never wake it up.
   */
  watch(onChange: (key: EventKey) => void): Promise<Watch>;
  /** Replaces the status. `gone`: the object is not there any more, or is another one of the same name (its uid). */
  putStatus(key: EventKey, uid: string, status: SeckillEventStatus): Promise<'written' | 'unchanged' | 'gone'>;
  /** Adds or removes the operator's finalizer. Removing the last one of a deleted object lets it go. */
  setFinalizer(key: EventKey, uid: string, present: boolean): Promise<'written' | 'unchanged' | 'gone'>;
}

export interface Watch {
  stop(): Promise<void>;
}

/** A pool of pods of one role. Never a Deployment and never a process: those are the platform's words. */
export interface DesiredWorkload {
  /** `NAMESPACE.NAME` of the event; the platform makes its own names of it. */
  name: string;
  role: 'seckill';
  /** The event that the pool serves. */
  event: EventKey;
  /** The least and the most pods; the platform's autoscaler moves between them, where there is one. */
  floor: number;
  ceiling: number;
  /** How long a stopping pod may take to finish its requests. */
  drainSeconds: number;
  /** Percent of the requested CPU at which the autoscaler adds pods. */
  cpuUtilization: number;
  /** With `wait`, pods that run are not replaced because the release has another template by now. */
  updates: 'now' | 'wait';
}

export interface ObservedWorkload {
  name: string;
  /** Pods that exist, in whatever state. */
  pods: number;
  /** Pods that say of themselves that they are ready. */
  ready: number;
  /** Pods that are wanted now. */
  wanted: number;
  /** What is wrong with pods that do not become ready, a sentence each. */
  problems: string[];
  /** The release has another template than the pods were made of. */
  updatePending: boolean;
  /** The autoscaler wants more pods than it may start. */
  atCeiling: boolean;
  /** Why the autoscaler does not follow the load, a sentence. */
  autoscalerProblem?: string;
}

export interface Workloads {
  /** `undefined`: there is nothing of that name, not even a stopping pod. */
  observe(name: string): Promise<ObservedWorkload | undefined>;
  apply(desired: DesiredWorkload): Promise<'applied' | 'unchanged'>;
  /** Begins to stop all pods of the pool. `gone` when none is left. */
  remove(name: string): Promise<'removing' | 'gone'>;
  /** Tells the name of the event whose pods changed. */
  watch(onChange: (key: EventKey) => void): Promise<Watch>;
  /** Only the leader's platform may start, restart or stop pods. */
  lead(leading: boolean): Promise<void>;
}

/** What happened to an event, in a sentence, for people. */
export interface Notice {
  event: EventKey;
  kind: 'Normal' | 'Warning';
  /** One of the reasons in plan/reasons.ts, or a phase. */
  reason: string;
  message: string;
}

export interface Notices {
  /** The same notice said again within a short time is not written again. */
  publish(notice: Notice): Promise<void>;
}

export interface LeaseRecord {
  /** Empty when it was given back. */
  holder: string;
  /** Counts renewals. A waiting operator watches it change by its own clock and trusts nobody else's. */
  renewals: number;
  /** Without a renewal for this long, others may take it. */
  durationMs: number;
  /** Counts take-overs. */
  transitions: number;
}

/** One record with compare-and-set; who leads by it is decided in leader.ts. */
export interface LeaseStore {
  read(): Promise<{ version: string; record: LeaseRecord } | undefined>;
  /**
   * `version` is what was read, `undefined` when there was no record. Answers the new version, or `undefined` when
   * somebody else was faster.
   */
  write(record: LeaseRecord, version: string | undefined): Promise<string | undefined>;
}
