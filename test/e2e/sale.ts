import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Manifest } from '../../operator/api/seckill-event.ts';
import { LEAD_SECONDS, PREHEAT_SECONDS, PRESCALE_SECONDS, WINDOW_SECONDS } from './limits.ts';

const example = join(import.meta.dirname, '../../examples/phone-x.yaml');

export interface SaleOfRun {
  namespace: string;
  name: string;
  startMs: number;
  endMs: number;
  totalUnits: number;
  openReplicas: number;
  manifest: object;
}

/** The example as it is shipped, with its days moved to the next minutes. */
export const saleSoon = (nowMs: number): SaleOfRun => {
  const manifest = parse(readFileSync(example, 'utf8')) as Manifest;
  // A whole second, as people write it.
  const startMs = Math.ceil(nowMs / 1_000) * 1_000 + LEAD_SECONDS * 1_000;
  const endMs = startMs + WINDOW_SECONDS * 1_000;
  const { namespace, name } = manifest.metadata;
  const { stock, scaling } = manifest.spec;
  const schedule = {
    startTime: new Date(startMs).toISOString(),
    endTime: new Date(endMs).toISOString(),
    preheatSeconds: PREHEAT_SECONDS,
    prescaleSeconds: PRESCALE_SECONDS,
  };
  return {
    namespace,
    name,
    startMs,
    endMs,
    totalUnits: stock.totalUnits,
    openReplicas: scaling.openReplicas,
    manifest: { ...manifest, spec: { ...manifest.spec, schedule } },
  };
};
