import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkManifest } from '../../operator/api/check-manifest.ts';
import type { Manifest, SeckillEvent } from '../../operator/api/seckill-event.ts';
import type { SeckillEventStatus } from '../../operator/api/status.ts';
import type { Notice, Platform } from '../../operator/platform/platform.ts';
import { eventually } from '../support/eventually.ts';
import { randomEventName } from '../support/names.ts';
import { plainManifest, withField } from './manifests.ts';

/** What the suite needs of the world behind a platform: what people do there, and what they see. */
export interface PlatformHarness {
  /** Another client of the same platform: what a second operator has. */
  open(): Promise<Platform>;
  apply(manifest: Manifest): Promise<void>;
  delete(key: string): Promise<void>;
  notices(): Promise<Notice[]>;
  /** Kills one pod of the pool without any warning. */
  killPod(pool: string): Promise<void>;
  close(): Promise<void>;
}

/** A valid manifest of a new name. */
export function newManifest(fields: Record<string, unknown> = {}): Manifest {
  const named = withField(plainManifest(), 'metadata.name', randomEventName());
  const changed = Object.entries(fields).reduce((at, [path, value]) => withField(at, path, value), named);
  const checked = checkManifest(changed);
  if (!checked.ok) throw new Error(checked.problems.map(({ message }) => message).join('\n'));
  return checked.event;
}

export const keyOf = ({ metadata }: Manifest): string => `${metadata.namespace}/${metadata.name}`;

const STATUS: SeckillEventStatus = {
  ...{ phase: 'Scheduled', reason: 'Waiting', message: 'It waits.', observedGeneration: 1 },
  ...{ startTime: '2026-12-12T12:00:00.000Z', endTime: '2026-12-12T12:30:00.000Z' },
  ...{ pods: { ready: 0, wanted: 0 }, conditions: [], checks: [] },
};

/** What the reconciler relies on, whatever the platform. */
export function platformContract(
  name: string,
  makeHarness: () => Promise<PlatformHarness>,
  { pods = true }: { pods?: boolean } = {},
): void {
  describe(`the platform ${name}`, () => {
    let harness: PlatformHarness;
    let platform: Platform;

    beforeAll(async () => {
      harness = await makeHarness();
      platform = await harness.open();
    });
    afterAll(async () => {
      await platform.close();
      await harness.close();
    });

    /** What people do is seen a moment later; what the operator writes, at once. */
    const seen = (key: string, like: object = {}): Promise<SeckillEvent> =>
      eventually(async () => {
        const event = await platform.events.get(key);
        if (event === undefined || 'problems' in event) throw new Error(`${key} is not seen`);
        expect(event).toMatchObject(like);
        return event;
      });

    const uidOf = async (key: string): Promise<string> => (await platform.events.get(key))?.metadata.uid ?? '';

    async function recorded(): Promise<{ told: string[]; stop(): Promise<void> }> {
      const told: string[] = [];
      const watch = await platform.events.watch((key) => told.push(key));
      return { told, stop: () => watch.stop() };
    }

    describe('keeps events', () => {
      test('with their defaults, a uid and a generation that counts changes of the spec', async () => {
        const manifest = newManifest();
        const key = keyOf(manifest);
        expect(await platform.events.get(key)).toBeUndefined();
        await harness.apply(manifest);
        const first = await seen(key, { metadata: { generation: 1, finalizers: [] }, spec: manifest.spec });
        expect(first.metadata.uid).not.toBe('');
        await harness.apply(manifest);
        await harness.apply({ ...manifest, metadata: { ...manifest.metadata, annotations: { note: 'x' } } });
        await seen(key, { metadata: { ...first.metadata, annotations: { note: 'x' } }, spec: first.spec });
        await harness.apply({ ...manifest, spec: { ...manifest.spec, paused: true } });
        await seen(key, { metadata: { generation: 2, uid: first.metadata.uid }, spec: { paused: true } });
        expect((await platform.events.list()).map(({ metadata }) => metadata.name)).toContain(manifest.metadata.name);
      });

      test('and tells of what is there, of changes and of deletions, never of a status', async () => {
        const [old, fresh] = [newManifest(), newManifest()];
        await harness.apply(old);
        const { told, stop } = await recorded();
        await eventually(() => expect(told).toContain(keyOf(old)));
        await harness.apply(fresh);
        await eventually(() => expect(told).toContain(keyOf(fresh)));

        told.length = 0;
        await platform.events.putStatus(keyOf(old), await uidOf(keyOf(old)), STATUS);
        await harness.apply({ ...fresh, spec: { ...fresh.spec, closed: true } });
        await eventually(() => expect(told).toContain(keyOf(fresh)));
        // A status of before would have been told by now: changes are told in the order in which they came.
        expect(told).not.toContain(keyOf(old));

        told.length = 0;
        await harness.delete(keyOf(old));
        await eventually(() => expect(told).toContain(keyOf(old)));
        expect(await platform.events.get(keyOf(old))).toBeUndefined();
        await stop();
      });

      test('and replaces a status once, and only that of the same object', async () => {
        const manifest = newManifest();
        const key = keyOf(manifest);
        await harness.apply(manifest);
        const { uid } = (await seen(key)).metadata;
        expect(await platform.events.putStatus(key, uid, STATUS)).toBe('written');
        expect((await platform.events.get(key))?.status).toEqual(STATUS);
        expect(await platform.events.putStatus(key, uid, structuredClone(STATUS))).toBe('unchanged');
        expect(await platform.events.putStatus(key, 'another', { ...STATUS, phase: 'Open' })).toBe('gone');
        expect((await platform.events.get(key))?.status).toEqual(STATUS);
        expect((await platform.events.get(key))?.metadata.generation).toBe(1);
      });

      test('until their finalizer is gone, and a namesake begins anew', async () => {
        const manifest = newManifest();
        const key = keyOf(manifest);
        await harness.apply(manifest);
        const { uid } = (await seen(key)).metadata;
        await platform.events.putStatus(key, uid, STATUS);
        expect(await platform.events.setFinalizer(key, uid, true)).toBe('written');
        expect(await platform.events.setFinalizer(key, uid, true)).toBe('unchanged');
        await harness.delete(key);
        await eventually(async () => expect((await seen(key)).metadata.deletionMs).toBeGreaterThan(0));
        expect(await platform.events.setFinalizer(key, 'another', false)).toBe('gone');
        expect(await platform.events.setFinalizer(key, uid, false)).toBe('written');
        expect(await platform.events.get(key)).toBeUndefined();
        expect(await platform.events.setFinalizer(key, uid, false)).toBe('gone');
        await harness.apply(manifest);
        const second = await seen(key, { metadata: { generation: 1, finalizers: [] } });
        expect(second.metadata.uid).not.toBe(uid);
        expect(second.status).toBeUndefined();
      });
    });

    // Without a node nothing makes pods: the suite says nothing of them there.
    if (pods)
      describe('runs pods', () => {
        const poolFor = (manifest: Manifest) => ({
          ...({ name: keyOf(manifest).replace('/', '.'), role: 'seckill', event: keyOf(manifest) } as const),
          ...({ floor: 2, ceiling: 4, drainSeconds: 5, cpuUtilization: 60, updates: 'now' } as const),
        });

        test('as many as the floor, fewer when it sinks, none when the pool is removed', async () => {
          const pool = poolFor(newManifest());
          await platform.workloads.lead(true);
          expect(await platform.workloads.observe(pool.name)).toBeUndefined();
          expect(await platform.workloads.apply(pool)).toBe('applied');
          expect(await platform.workloads.apply({ ...pool })).toBe('unchanged');
          const seen = () => platform.workloads.observe(pool.name);
          await eventually(async () => expect(await seen()).toMatchObject({ pods: 2, ready: 2, wanted: 2 }));
          expect(await platform.workloads.apply({ ...pool, floor: 1 })).toBe('applied');
          await eventually(async () => expect(await seen()).toMatchObject({ pods: 1, ready: 1, wanted: 1 }));
          await eventually(async () => expect(await platform.workloads.remove(pool.name)).toBe('gone'));
          expect(await seen()).toBeUndefined();
        });

        test('anew when one is killed, and tells whose pods changed', async () => {
          const pool = { ...poolFor(newManifest()), floor: 1 };
          const told: string[] = [];
          const watch = await platform.workloads.watch((key) => told.push(key));
          await platform.workloads.lead(true);
          await platform.workloads.apply(pool);
          const isReady = () =>
            eventually(async () => expect((await platform.workloads.observe(pool.name))?.ready).toBe(1));
          await isReady();
          expect(told).toContain(pool.event);
          told.length = 0;
          await harness.killPod(pool.name);
          await eventually(() => expect(told).toContain(pool.event));
          await isReady();
          await watch.stop();
          await eventually(async () => expect(await platform.workloads.remove(pool.name)).toBe('gone'));
        });

        test('that live on when the leader goes, and that the next one finds', async () => {
          const pool = { ...poolFor(newManifest()), floor: 1 };
          await platform.workloads.lead(true);
          await platform.workloads.apply(pool);
          await eventually(async () => expect((await platform.workloads.observe(pool.name))?.ready).toBe(1));
          await platform.workloads.lead(false);
          const heir = await harness.open();
          await heir.workloads.lead(true);
          await eventually(async () =>
            expect(await heir.workloads.observe(pool.name)).toMatchObject({ pods: 1, ready: 1 }),
          );
          await eventually(async () => expect(await heir.workloads.remove(pool.name)).toBe('gone'));
          await heir.close();
        });
      });

    test('shows a notice once, however often it is said', async () => {
      const event = keyOf(newManifest());
      const notice: Notice = {
        event,
        kind: 'Warning',
        reason: 'ChecksFailing',
        message: 'RedisAof: appendonly must be yes',
      };
      for (let i = 0; i < 3; i += 1) await platform.notices.publish(notice);
      await platform.notices.publish({ ...notice, message: 'another' });
      const mine = (await harness.notices()).filter((one) => one.event === event);
      expect(mine.map(({ message }) => message)).toEqual([notice.message, 'another']);
    });

    test('gives the lease to one of two that ask at once', async () => {
      const other = await harness.open();
      const record = { renewals: 0, durationMs: 60_000, transitions: 0 };
      const found = await platform.lease.read();
      const answers = await Promise.all([
        platform.lease.write({ ...record, holder: 'a' }, found?.version),
        other.lease.write({ ...record, holder: 'b' }, found?.version),
      ]);
      expect(answers.filter((version) => version !== undefined)).toHaveLength(1);
      const holder = answers[0] === undefined ? 'b' : 'a';
      expect((await other.lease.read())?.record.holder).toBe(holder);
      expect(await other.lease.write({ ...record, holder: 'late' }, found?.version)).toBeUndefined();
      await other.close();
    });
  });
}
