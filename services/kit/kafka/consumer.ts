import type { Kafka } from 'kafkajs';
import type { Log } from '../log.ts';
import type { AdminWithLag } from './admin.ts';
import {
  CLOSE_PATIENCE_MS,
  RESTART_FIRST_MS,
  RESTART_LONGEST_MS,
  WATCHDOG_INTERVAL_MS,
  WATCHDOG_NO_PROGRESS_MS,
} from './limits.ts';
import { createMember, type Member } from './member.ts';
import { backOffMs, settledWithin, sleepUnless } from './patience.ts';
import type { Consumer, ConsumerOptions } from './port.ts';
import { judge } from './watchdog.ts';

export interface SupervisedOptions extends ConsumerOptions {
  client: () => Kafka;
  admin: () => AdminWithLag;
  log: Log;
}

/** Keeps one member of the group alive: begins a new one whenever the watchdog finds the present one dead or stuck. */
export function createConsumer(options: SupervisedOptions): Consumer {
  const { client, groupId, topic, log, onRestart } = options;
  const stopping = new AbortController();
  const admin = options.admin();
  let member: Member | undefined;
  let restarts = 0;
  let supervision: Promise<void> | undefined;

  async function supervise(): Promise<void> {
    let attempt = 0;
    while (!stopping.signal.aborted) {
      const mine = createMember({ ...options, client: client() });
      member = mine;
      const beganAtMs = performance.now();
      const reason = await mine.begin().then(
        () => watch(mine),
        (error: unknown) => `it could not begin: ${error instanceof Error ? error.message : String(error)}`,
      );
      await mine.end();
      if (reason === undefined || stopping.signal.aborted) return;
      restarts += 1;
      log.warn({ groupId, topic, reason }, 'kafka consumer begins anew');
      onRestart?.(reason);
      attempt = performance.now() - beganAtMs > RESTART_LONGEST_MS ? 0 : attempt + 1;
      await sleepUnless(stopping.signal, backOffMs(attempt, RESTART_FIRST_MS, RESTART_LONGEST_MS));
    }
  }

  /** Resolves with why the member has to go, or with nothing at a stop. */
  async function watch(mine: Member): Promise<string | undefined> {
    let lookAtMs = 0;
    let before: bigint | undefined;
    let stuckLag: bigint | undefined;
    while (!stopping.signal.aborted) {
      const nowMs = performance.now();
      const verdict = judge(mine.pulse(), nowMs, stuckLag);
      if (verdict.do === 'restart') return verdict.reason;
      if (verdict.do === 'nothing') {
        before = stuckLag = undefined;
      } else if (nowMs >= lookAtMs) {
        lookAtMs = nowMs + WATCHDOG_NO_PROGRESS_MS / 2;
        const lag = await lagOf(mine.partitions());
        if (lag !== undefined && before !== undefined) stuckLag = lag < before ? lag : before;
        before = lag;
      }
      await sleepUnless(stopping.signal, WATCHDOG_INTERVAL_MS);
    }
    return undefined;
  }

  async function lagOf(partitions: readonly number[]): Promise<bigint | undefined> {
    try {
      const lags = await admin.lag(groupId, topic);
      return partitions.reduce((sum, partition) => sum + (lags.get(partition)?.lag ?? 0n), 0n);
    } catch (error) {
      log.debug({ err: error }, 'kafka lag is not known');
      return undefined;
    }
  }

  return {
    async start() {
      supervision ??= supervise();
    },
    async stop() {
      stopping.abort();
      await Promise.all([member?.end(), admin.close()]);
      // A member that was just joining ends itself when a broker answers; nobody waits for that.
      if (supervision !== undefined) await settledWithin(supervision, CLOSE_PATIENCE_MS);
    },
    status: () => ({ partitions: member?.partitions() ?? [], restarts }),
  };
}
