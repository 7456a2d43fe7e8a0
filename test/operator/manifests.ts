import type { SeckillEventStatus } from '../../operator/api/status.ts';

/** A manifest with nothing but what is required, as a person would write it. */
export interface PlainManifest {
  [field: string]: unknown;
  metadata: Record<string, unknown>;
  spec: Record<string, unknown> & {
    product: Record<string, unknown>;
    stock: Record<string, unknown>;
    schedule: Record<string, unknown>;
  };
}

export function plainManifest(): PlainManifest {
  return {
    apiVersion: 'seckill.io/v1alpha1',
    kind: 'SeckillEvent',
    metadata: { name: 'phone-x', namespace: 'shop' },
    spec: {
      product: { sku: 'PHONE-X-256', title: 'Phone X 256 GB', priceMinor: 399_900, currency: 'CNY' },
      stock: { totalUnits: 1_000 },
      schedule: { startTime: '2026-12-12T12:00:00Z', endTime: '2026-12-12T12:30:00Z' },
    },
  };
}

/** A copy with one field replaced (`undefined` removes it), by its path. */
export function withField(manifest: PlainManifest, path: string, value: unknown): PlainManifest {
  const copy = structuredClone(manifest);
  const names = path.split('.');
  const last = names.pop() ?? '';
  let at: Record<string, unknown> = copy;
  for (const name of names) {
    at[name] ??= {};
    at = at[name] as Record<string, unknown>;
  }
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}

export function withFields(manifest: PlainManifest, fields: Readonly<Record<string, unknown>>): PlainManifest {
  return Object.entries(fields).reduce((at, [path, value]) => withField(at, path, value), manifest);
}

/** The status of an event of which nothing has been seen yet, with some of its fields replaced. */
export function aStatus(fields: Partial<SeckillEventStatus> = {}): SeckillEventStatus {
  return {
    phase: 'Scheduled',
    reason: 'Waiting',
    message: 'The stock will be preheated in time for the start.',
    observedGeneration: 1,
    startTime: '2026-12-12T12:00:00.000Z',
    endTime: '2026-12-12T12:30:00.000Z',
    pods: { ready: 0, wanted: 0 },
    conditions: [],
    checks: [],
    ...fields,
  };
}
