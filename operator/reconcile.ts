import { AssertionError } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';
import type { Log } from '../services/kit/log.ts';
import { RECONCILE_ANNOTATION } from './api/annotations.ts';
import type { EventKey, RefusedEvent, SeckillEvent } from './api/seckill-event.ts';
import type { SeckillEventStatus } from './api/status.ts';
import type { Outcome } from './effects/deps.ts';
import type { Effects } from './effects/effects.ts';
import { messageOf } from './effects/message.ts';
import type { LeaderMetrics } from './effects/metrics/leader.ts';
import { STATUS_INTERVAL_MS } from './limits.ts';
import { gistOf, phaseNotices } from './notices.ts';
import type { Action } from './plan/actions.ts';
import { BUSY_INTERVAL_MS } from './plan/limits.ts';
import type { Observed } from './plan/observed.ts';
import { plan } from './plan/plan.ts';
import { planRefused } from './plan/refused.ts';
import type { Platform } from './platform/platform.ts';
import type { Requeue } from './queue.ts';

export interface ReconcileDeps {
  platform: Platform;
  effects: Effects;
  log: Log;
  /** Aborted when the leadership is lost: nothing is begun any more. */
  signal: AbortSignal;
  monotonicMs?: () => number;
  /** Told of what each look found and what was done about it. */
  shown?: Pick<LeaderMetrics, 'view' | 'acted'>;
}

/** What is remembered of an event between two looks. Losing it costs a write, never a decision. */
interface Memory {
  uid: string;
  hindrance: Observed['hindrance'];
  /** Why the platform could not bring the pods to what is wanted, a sentence. */
  podsProblem: string | undefined;
  /** Why the event itself could not be written, a sentence for each kind of write. */
  refusals: Map<'status' | 'finalizer', string>;
  statusAtMs: number;
  /** The actions of the last look, and how often they came again unchanged. */
  actions: string;
  repeats: number;
}

/** The same actions so often in a row bring nothing: from then on they wait longer and longer. */
const REPEATS_AT_ONCE_MAX = 3;

/** The name of an event's own pool on every platform. */
function poolOf(key: EventKey): string {
  return key.replace('/', '.');
}

/** One look at one event: load → observe → plan → status → apply. Answers when to look again. */
export function createReconcile(deps: ReconcileDeps): (key: EventKey) => Promise<Requeue> {
  const { platform, effects, log, signal } = deps;
  const monotonicMs = deps.monotonicMs ?? (() => performance.now());
  const memories = new Map<EventKey, Memory>();

  function memoryOf(key: EventKey, uid: string): Memory {
    const known = memories.get(key);
    if (known?.uid === uid) return known;
    const fresh: Memory = {
      ...{ uid, hindrance: undefined, podsProblem: undefined, refusals: new Map() },
      ...{ statusAtMs: Number.NEGATIVE_INFINITY, actions: '', repeats: 0 },
    };
    memories.set(key, fresh);
    return fresh;
  }

  async function forget(key: EventKey): Promise<Requeue> {
    memories.delete(key);
    deps.shown?.view.forgot(key);
    const pool = poolOf(key);
    if ((await platform.workloads.observe(pool)) === undefined) return {};
    return (await platform.workloads.remove(pool)) === 'gone' ? {} : { afterMs: BUSY_INTERVAL_MS };
  }

  /**
   * A write to the event itself that is refused (a missing permission, an older definition, a webhook) hinders no action:
   * nothing of a sale depends on its object. `undefined`: it was refused, which is told once.
   */
  async function writing<T>(
    key: EventKey,
    { refusals }: Memory,
    what: 'status' | 'finalizer',
    write: () => Promise<T>,
  ): Promise<T | undefined> {
    try {
      const answer = await write();
      refusals.delete(what);
      return answer;
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      const problem = messageOf(error);
      if (refusals.get(what) !== problem) {
        log.warn({ err: error, event: key }, 'the event could not be written');
        await platform.notices.publish({ event: key, kind: 'Warning', reason: 'WriteRefused', message: problem });
      }
      refusals.set(what, problem);
      return undefined;
    }
  }

  /** Writes nothing that is there already; and counts change so often that they wait for their turn. */
  async function report(
    key: EventKey,
    event: SeckillEvent | RefusedEvent,
    memory: Memory,
    status: SeckillEventStatus,
  ): Promise<number | undefined> {
    const before = event.status;
    if (isDeepStrictEqual(before, status)) {
      memory.refusals.delete('status');
      return undefined;
    }
    const turned = before?.phase !== status.phase || before.observedGeneration !== status.observedGeneration;
    const dueInMs = memory.statusAtMs + STATUS_INTERVAL_MS - monotonicMs();
    if (!turned && dueInMs > 0) return dueInMs;
    const { uid } = event.metadata;
    const written = await writing(key, memory, 'status', () => platform.events.putStatus(key, uid, status));
    if (written !== 'written') return undefined;
    memory.statusAtMs = monotonicMs();
    for (const notice of phaseNotices(key, before, status)) await platform.notices.publish(notice);
    return undefined;
  }

  /** A platform that refuses (a missing permission, a wrong template) hinders no other action: the sale goes on. */
  async function bringPods(
    key: EventKey,
    memory: Memory,
    action: Extract<Action, { kind: 'scale' | 'remove-workload' }>,
  ): Promise<Outcome> {
    const name = poolOf(key);
    try {
      if (action.kind === 'remove-workload') await platform.workloads.remove(name);
      else {
        const { kind: _scale, ...scale } = action;
        await platform.workloads.apply({ name, role: 'seckill', event: key, ...scale });
      }
      memory.podsProblem = undefined;
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      const problem = messageOf(error);
      if (memory.podsProblem !== problem) log.warn({ err: error, event: key }, 'the pods could not be brought');
      memory.podsProblem = problem;
    }
    return { status: 'done' };
  }

  async function apply(
    key: EventKey,
    event: SeckillEvent | RefusedEvent,
    memory: Memory,
    action: Action,
  ): Promise<Outcome> {
    const { uid } = event.metadata;
    switch (action.kind) {
      case 'add-finalizer':
      case 'remove-finalizer':
        await writing(key, memory, 'finalizer', () =>
          platform.events.setFinalizer(key, uid, action.kind === 'add-finalizer'),
        );
        return { status: 'done' };
      case 'scale':
      case 'remove-workload':
        return bringPods(key, memory, action);
      default:
        log.info({ event: key, action: action.kind }, 'action');
        return effects.run(event, action, signal).catch((error: unknown) => {
          // A broken invariant ends the process; a server that fails in the middle is tried again.
          if (error instanceof AssertionError) throw error;
          log.warn({ err: error, event: key, action: action.kind }, 'action failed');
          return { status: 'hindered', reason: 'ServerFailed', message: messageOf(error) };
        });
    }
  }

  return async (key) => {
    if (signal.aborted) return {};
    const event = await platform.events.get(key);
    if (event === undefined) return forget(key);
    if (event.metadata.annotations[RECONCILE_ANNOTATION] === 'disabled') return {};
    const memory = memoryOf(key, event.metadata.uid);
    const [sight, workload] = await Promise.all([effects.observe(event), platform.workloads.observe(poolOf(key))]);
    const seen = { ...sight, hindrance: memory.hindrance, workload: withProblem(workload, memory.podsProblem) };
    const { actions, status, requeueAtMs } = 'problems' in event ? planRefused(event, seen) : plan({ ...seen, event });
    if (status !== undefined && !('problems' in event)) deps.shown?.view.saw(key, { ...seen, event }, status);
    const statusDueMs = status === undefined ? undefined : await report(key, event, memory, status);

    if (!actions.some(isFinalizer)) memory.refusals.delete('finalizer');
    let changed = false;
    let hindrance: Observed['hindrance'];
    for (const action of actions) {
      if (signal.aborted) return {};
      const outcome = await apply(key, event, memory, action);
      if (isSaleAction(action)) deps.shown?.acted(action.kind, outcome.status);
      changed ||= isSaleAction(action) && outcome.status !== 'hindered';
      if (outcome.status === 'done') continue;
      if (outcome.status === 'hindered') hindrance = { reason: outcome.reason, message: outcome.message };
      break;
    }
    const hinderedBefore = memory.hindrance;
    memory.hindrance = hindrance;
    const afterMs = Math.min(requeueAtMs - seen.nowMs, statusDueMs ?? Number.POSITIVE_INFINITY);
    if (hindrance !== undefined) {
      // People should hear of it at once, and it is tried again soon; an old hindrance is waited for longer.
      const toldBefore = hinderedBefore !== undefined && gistOf(hinderedBefore) === gistOf(hindrance);
      if (!toldBefore) log.warn({ event: key, ...hindrance }, 'hindered');
      return { afterMs, backOff: true };
    }
    const kinds = actions
      .filter(isSaleAction)
      .map(({ kind }) => kind)
      .join(' ');
    memory.repeats = kinds === memory.actions ? memory.repeats + 1 : 0;
    memory.actions = kinds;
    if (memory.podsProblem !== undefined || memory.refusals.size > 0) return { afterMs, backOff: true };
    if (!changed) return { afterMs };
    return memory.repeats < REPEATS_AT_ONCE_MAX ? { afterMs: 0 } : { backOff: true };
  };
}

/** What the platform refused is a problem of the pods, also when there are none yet. */
function withProblem(workload: Observed['workload'], problem: string | undefined): Observed['workload'] {
  if (problem === undefined) return workload;
  const none = { pods: 0, ready: 0, wanted: 0, problems: [], updatePending: false, atCeiling: false };
  const seen = workload ?? none;
  return { ...seen, problems: [...seen.problems, problem] };
}

function isFinalizer({ kind }: Action): boolean {
  return kind === 'add-finalizer' || kind === 'remove-finalizer';
}

/** Whether the world of the sale is another one after it, so that the next look must come at once. */
function isSaleAction({ kind }: Action): boolean {
  return kind !== 'scale' && kind !== 'remove-workload' && kind !== 'add-finalizer';
}
