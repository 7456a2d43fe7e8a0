import { renameSync, writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { API_VERSION, KIND, type Manifest } from '../../operator/api/seckill-event.ts';

export const DEMO_EVENT = { namespace: 'shop', name: 'phone-x' } as const;

/** Longer than the demo takes: the stock is brought to Redis and the pods are started at once. */
const AT_ONCE_SECONDS = 3_600;

export interface DemoSale {
  units: number;
  pods: number;
  startMs: number;
  endMs: number;
  closed: boolean;
}

type Wanted = Pick<Manifest, 'apiVersion' | 'kind'> & { metadata: object; spec: object };

/** The manifest that the operator gets, as a person would have written it. */
function demoManifest({ units, pods, startMs, endMs, closed }: DemoSale): Wanted {
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { ...DEMO_EVENT },
    spec: {
      product: { sku: 'PHONE-X-256', title: 'Phone X 256 GB', priceMinor: 399_900, currency: 'CNY' },
      stock: { totalUnits: units },
      schedule: {
        startTime: new Date(startMs).toISOString(),
        endTime: new Date(endMs).toISOString(),
        preheatSeconds: AT_ONCE_SECONDS,
        prescaleSeconds: AT_ONCE_SECONDS,
      },
      limits: { unitsPerBuyer: 1 },
      scaling: { minReplicas: 1, openReplicas: pods },
      closed,
    },
  };
}

/** Whole or not at all: the platform reads the file while we write it. */
export function writeManifest(file: string, sale: DemoSale): void {
  const written = `${file}.new`;
  writeFileSync(written, stringify(demoManifest(sale)));
  renameSync(written, file);
}
