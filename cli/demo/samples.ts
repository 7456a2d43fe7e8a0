import { setTimeout as pause } from 'node:timers/promises';
import type { Endpoints } from '../../operator/platform/host/endpoints.ts';
import { openPlatform, type Platform } from '../platform.ts';
import type { Sample } from '../report/report.ts';
import { SAMPLE_EVERY_MS, SAMPLES_MAX } from './limits.ts';

export interface Sampling {
  /** Ends it, and answers what was seen, in the order of time; also when it is asked again. */
  stop(): Promise<Sample[]>;
}

/** Looks at the stock in Redis and at the ledger now and then. What cannot be read is left out. */
export async function startSampling(
  endpoints: Endpoints,
  { namespace, name }: { namespace: string; name: string },
): Promise<Sampling> {
  const platform = await openPlatform(endpoints);
  const stopped = new AbortController();
  const samples: Sample[] = [];

  async function follow(): Promise<void> {
    while (!stopped.signal.aborted && samples.length < SAMPLES_MAX) {
      const sample = await look(platform, namespace, name).catch(() => undefined);
      if (sample !== undefined) samples.push(sample);
      await pause(SAMPLE_EVERY_MS, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  }
  const following = follow().finally(() => platform.close());

  return {
    stop: async () => {
      stopped.abort();
      await following;
      return samples;
    },
  };
}

async function look({ ledger, stock }: Platform, namespace: string, name: string): Promise<Sample | undefined> {
  const event = await ledger.events.latest(namespace, name);
  if (event === undefined) return undefined;
  const { eventId, generation, runs, soldUnits } = event;
  const atMs = Date.now();
  const buckets = await Promise.all(runs.map((run, bucket) => stock.snapshot({ eventId, bucket, generation, run })));
  const sample: Sample = { atMs, available: 0, held: 0, committed: 0, ordered: soldUnits };
  for (const bucket of buckets) {
    if (bucket.status !== 'ok') return undefined;
    sample.available += bucket.availableUnits;
    sample.held += bucket.heldUnits;
    sample.committed += bucket.committedUnits;
  }
  return sample;
}
