import { createHash } from 'node:crypto';
import type { Clock } from '../../../services/kit/clock.ts';
import type { Log } from '../../../services/kit/log.ts';
import type { EventKey } from '../../api/seckill-event.ts';
import type { Notice, Notices } from '../platform.ts';
import type { KubeClient, KubeObject } from './client.ts';
import {
  NOTICE_BURST_MAX,
  NOTICE_MESSAGE_MAX_CHARS,
  NOTICE_REFILL_MS,
  NOTICE_REPEAT_MS,
  NOTICES_KNOWN_MAX,
} from './limits.ts';
import { eventRef, SECKILL_EVENT } from './seckill-events.ts';

/** A `v1` Event of Kubernetes: what `kubectl describe` shows below an object. */
export interface NoticeObject extends KubeObject {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
  count: number;
  firstTimestamp: string;
  lastTimestamp: string;
  involvedObject: { apiVersion: string; kind: string; namespace: string; name: string; uid?: string };
  source: { component: string };
  reportingComponent: string;
  reportingInstance: string;
}

/** A notice that was said before. */
interface Known {
  firstMs: number;
  writtenMs: number;
  count: number;
}

/** What an event may still say for one reason at once. */
interface Allowance {
  left: number;
  atMs: number;
}

/**
 * Notices on the event's object, in its namespace. The same notice has the same name: it is one object with a count,
 * written again after NOTICE_REPEAT_MS at the earliest, also when another operator wrote it first. A notice that cannot
 * be written is logged and let go: it must not hold up a sale.
 */
export function createKubernetesNotices(options: {
  client: KubeClient;
  uidOf: (key: EventKey) => string | undefined;
  instance: string;
  clock: Clock;
  log: Log;
}): Notices {
  const { client, uidOf, instance, clock, log } = options;
  const known = new Map<string, Known>();
  const allowances = new Map<string, Allowance>();

  /** A bucket for each event and reason: a check that flaps uses up neither what others nor what phases may say. */
  function allowed({ event, reason }: Notice, nowMs: number): boolean {
    const bucket = `${event} ${reason}`;
    const { left, atMs } = allowances.get(bucket) ?? { left: NOTICE_BURST_MAX, atMs: nowMs };
    const full = Math.min(NOTICE_BURST_MAX, left + (nowMs - atMs) / NOTICE_REFILL_MS);
    allowances.set(bucket, { left: Math.max(0, full - 1), atMs: nowMs });
    forgetOldest(allowances);
    return full >= 1;
  }

  return {
    async publish(notice) {
      const { event, kind, reason } = notice;
      const uid = uidOf(event);
      const message = shortened(notice.message);
      const name = nameOf(notice, uid);
      const nowMs = clock.nowMs();
      const before = known.get(name);
      const now = { firstMs: before?.firstMs ?? nowMs, writtenMs: nowMs, count: (before?.count ?? 0) + 1 };
      if (before !== undefined && nowMs - before.writtenMs < NOTICE_REPEAT_MS) {
        known.set(name, { ...now, writtenMs: before.writtenMs });
        return;
      }
      if (!allowed(notice, nowMs)) {
        log.warn({ event, reason }, 'an event has too many notices of one reason, this one is left out');
        return;
      }
      // Last in the order of what is forgotten first.
      known.delete(name);
      known.set(name, now);
      forgetOldest(known);
      const { namespace, name: eventName } = eventRef(event);
      const object: NoticeObject = {
        ...{ apiVersion: 'v1', kind: 'Event', metadata: { namespace, name } },
        ...{ type: kind, reason, message, count: now.count },
        ...{ firstTimestamp: rfc3339(now.firstMs), lastTimestamp: rfc3339(nowMs) },
        involvedObject: { ...SECKILL_EVENT, namespace, name: eventName, ...(uid === undefined ? {} : { uid }) },
        ...{ source: { component: 'seckill-operator' }, reportingComponent: 'seckill-operator' },
        reportingInstance: instance,
      };
      try {
        await client.apply(object);
      } catch (error) {
        known.delete(name);
        log.warn({ err: error, event, reason }, 'a notice could not be written');
      }
    },
  };
}

function nameOf({ event, kind, reason, message }: Notice, uid: string | undefined): string {
  const hash = createHash('sha256').update(JSON.stringify([uid, kind, reason, message]));
  return `${eventRef(event).name}.${hash.digest('hex').slice(0, 16)}`;
}

function shortened(message: string): string {
  return message.length <= NOTICE_MESSAGE_MAX_CHARS ? message : `${message.slice(0, NOTICE_MESSAGE_MAX_CHARS - 1)}…`;
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** Maps keep the order in which their keys came. */
function forgetOldest(map: Map<string, unknown>): void {
  const [oldest] = map.keys();
  if (map.size > NOTICES_KNOWN_MAX && oldest !== undefined) map.delete(oldest);
}
