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
