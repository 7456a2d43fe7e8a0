import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { leadWhenElected } from '../../operator/leader.ts';
import { createHostLeaseStore } from '../../operator/platform/host/lease-store.ts';
import type { LeaseStore } from '../../operator/platform/platform.ts';
import { eventually } from '../support/eventually.ts';
import { randomEventName } from '../support/names.ts';
import { tempDir } from '../support/temp-dir.ts';

const log = pino({ level: 'silent' });
const folder = tempDir();
const TIMES = { durationMs: 2_000, renewMs: 200, giveUpMs: 1_250 };

interface Candidate {
  leading(): boolean;
  stop(): Promise<'lost' | 'stopped'>;
  outcome: Promise<'lost' | 'stopped'>;
}

function candidate(lease: LeaseStore, holder: string, times: typeof TIMES = TIMES): Candidate {
  const stopping = new AbortController();
  let leading = false;
  const outcome = leadWhenElected({ lease, holder, log, signal: stopping.signal, ...times }, async (signal) => {
    leading = true;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    leading = false;
  });
  return {
    leading: () => leading,
    outcome,
    stop: () => {
      stopping.abort();
      return outcome;
    },
  };
}

/** A store that can be cut off: what is written then never arrives, and is refused, or hangs for ever. */
function cuttable(lease: LeaseStore, hangs = false): LeaseStore & { cut: boolean } {
  const away = () => (hangs ? new Promise<never>(() => {}) : Promise.reject(new Error('cut off')));
  const store = {
    cut: false,
    read: () => (store.cut ? away() : lease.read()),
    write: (...args: Parameters<LeaseStore['write']>) => (store.cut ? away() : lease.write(...args)),
  };
  return store;
}

const newStore = (): LeaseStore => createHostLeaseStore(join(folder, randomEventName('lease')));

describe('leader election', () => {
  test('lets exactly one of several lead', async () => {
    const lease = newStore();
    const all = ['a', 'b', 'c'].map((holder) => candidate(lease, holder));
    await eventually(() => expect(all.filter((one) => one.leading())).toHaveLength(1));
    const until = performance.now() + 2 * TIMES.durationMs;
    await eventually(() => {
      expect(all.filter((one) => one.leading())).toHaveLength(1);
      return performance.now() > until;
    });
    await Promise.all(all.map((one) => one.stop()));
  });

  test('hands over at once when the leader stops in order', async () => {
    const lease = newStore();
    const slow = { ...TIMES, durationMs: 120_000, giveUpMs: 60_000 };
    const first = candidate(lease, 'a', slow);
    await eventually(() => expect(first.leading()).toBe(true));
    const second = candidate(lease, 'b', slow);
    expect(await first.stop()).toBe('stopped');
    await eventually(() => expect(second.leading()).toBe(true), { deadlineMs: slow.giveUpMs });
    await second.stop();
  });

  test('takes over from a leader that fell silent, not before its time', async () => {
    const lease = newStore();
    const dead = { holder: 'dead', renewals: 7, durationMs: TIMES.durationMs, transitions: 3 };
    await lease.write(dead, undefined);
    const beganMs = performance.now();
    const heir = candidate(lease, 'heir');
    await eventually(() => expect(heir.leading()).toBe(true));
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(TIMES.durationMs);
    expect((await lease.read())?.record).toMatchObject({ holder: 'heir', transitions: 4 });
    await heir.stop();
  });

  test('ends the work of a leader that cannot renew before anybody else leads', async () => {
    const lease = newStore();
    const cut = cuttable(lease);
    const first = candidate(cut, 'a');
    await eventually(() => expect(first.leading()).toBe(true));
    const second = candidate(lease, 'b');
    cut.cut = true;
    await eventually(
      () => {
        expect(first.leading() && second.leading()).toBe(false);
        return second.leading();
      },
      { intervalMs: 1 },
    );
    expect(await first.outcome).toBe('lost');
    await second.stop();
  });

  test('ends it in time also when a call for the lease never comes back', async () => {
    const lease = newStore();
    const cut = cuttable(lease, true);
    const first = candidate(cut, 'a');
    await eventually(() => expect(first.leading()).toBe(true));
    const second = candidate(lease, 'b');
    cut.cut = true;
    await eventually(
      () => {
        expect(first.leading() && second.leading()).toBe(false);
        return second.leading();
      },
      { intervalMs: 1 },
    );
    expect(first.leading()).toBe(false);
    await second.stop();
  });

  test('waits for no work that hangs when the lease is lost', async () => {
    const cut = cuttable(newStore());
    const { signal } = new AbortController();
    let begun = false;
    const outcome = leadWhenElected({ lease: cut, holder: 'a', log, signal, ...TIMES }, () => {
      begun = true;
      return new Promise<never>(() => {});
    });
    await eventually(() => expect(begun).toBe(true));
    cut.cut = true;
    expect(await outcome).toBe('lost');
  });

  test('ends the work of a leader whose lease was taken from it', async () => {
    const lease = newStore();
    const first = candidate(lease, 'a');
    await eventually(() => expect(first.leading()).toBe(true));
    await eventually(async () => {
      const found = await lease.read();
      return (
        (await lease.write({ holder: 'thief', renewals: 0, durationMs: 60_000, transitions: 9 }, found?.version)) !==
        undefined
      );
    });
    expect(await first.outcome).toBe('lost');
    expect(first.leading()).toBe(false);
  });
});
