/** How the API says which fields a manager owns: `f:name` for a field, `k:{…}` and `v:…` for an item of a list. */
interface FieldSet {
  [path: string]: FieldSet;
}

interface ManagedObject {
  metadata?: {
    managedFields?: readonly { manager?: string; operation?: string; subresource?: string; fieldsV1?: object }[];
  };
}

/**
 * Whether a manager still owns every field that it applied. Whoever changes a field takes it over, so a field that was
 * changed or removed by others is missing here, however the server writes or defaults its value; fields that others
 * added are none of our business.
 */
export function ownsAll(live: ManagedObject, manager: string, applied: object): boolean {
  const entry = live.metadata?.managedFields?.find(
    ({ manager: name, operation, subresource }) => name === manager && operation === 'Apply' && !subresource,
  );
  if (entry?.fieldsV1 === undefined) return false;
  const { apiVersion: _version, kind: _kind, metadata = {}, ...body } = applied as Record<string, object>;
  const { name: _name, namespace: _namespace, ...meta } = metadata as Record<string, unknown>;
  return covers(entry.fieldsV1 as FieldSet, { metadata: meta, ...body });
}

function covers(owned: FieldSet, value: unknown): boolean {
  const inner = Object.keys(owned).filter((path) => path !== '.');
  if (typeof value !== 'object' || value === null || inner.length === 0) return true;
  if (Array.isArray(value)) return value.every((item) => coversItem(owned, inner, item));
  return Object.entries(value).every(([name, child]) => {
    if (child === undefined || child === null) return true;
    const field = owned[`f:${name}`];
    return field !== undefined && covers(field, child);
  });
}

function coversItem(owned: FieldSet, paths: readonly string[], item: unknown): boolean {
  return paths.some((path) => {
    if (path.startsWith('v:')) return path === `v:${JSON.stringify(item)}`;
    if (!path.startsWith('k:') || typeof item !== 'object' || item === null) return false;
    const keys = Object.entries(JSON.parse(path.slice(2)) as Record<string, unknown>);
    const given = item as Record<string, unknown>;
    // A part of the key that we left out has the server's default.
    const fits = keys.every(([name, value]) => given[name] === undefined || given[name] === value);
    return fits && covers(owned[path] ?? {}, item);
  });
}
