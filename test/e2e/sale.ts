import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Manifest } from '../../operator/api/seckill-event.ts';
import {
  LEAD_LEAST_SECONDS,
  LEAD_MOST_SECONDS,
  PREHEAT_AFTER_SECONDS,
  PRESCALE_AFTER_SECONDS,
  WINDOW_SECONDS,
} from './limits.ts';

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

/**
 * How long before its start a sale is announced: preheat, checks and four pods must fit into it. How long the machine
 * took to install the platform, a dozen pods, says how quick it is just now.
 */
export const leadSeconds = (installedInMs: number): number =>
  Math.min(LEAD_MOST_SECONDS, LEAD_LEAST_SECONDS + Math.floor(installedInMs / 1_000));

/** The example as it is shipped, with its days moved to the next minutes. */
export const saleSoon = (nowMs: number, lead: number): SaleOfRun => {
  const manifest = parse(readFileSync(example, 'utf8')) as Manifest;
  // A whole second, as people write it.
  const startMs = Math.ceil(nowMs / 1_000) * 1_000 + lead * 1_000;
  const endMs = startMs + WINDOW_SECONDS * 1_000;
  const { namespace, name } = manifest.metadata;
  const { stock, scaling } = manifest.spec;
  const schedule = {
    startTime: new Date(startMs).toISOString(),
    endTime: new Date(endMs).toISOString(),
    preheatSeconds: lead - PREHEAT_AFTER_SECONDS,
    prescaleSeconds: lead - PRESCALE_AFTER_SECONDS,
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
