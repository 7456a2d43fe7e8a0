import { MANIFEST_CHECKS } from './checks.ts';
import type { SchemaNode } from './expected.ts';
import { type Manifest, manifestSchema } from './seckill-event.ts';
import { fillAndCheck, type Problem } from './structure.ts';

export type CheckedManifest = { ok: true; event: Manifest } | { ok: false; problems: Problem[] };

/**
 * Checks one document: its structure, then the named rules. All wrong fields come back at once: a rule is asked even
 * when other fields are wrong, as long as its own are right. A valid event has all defaults filled in.
 */
export function checkManifest(document: unknown): CheckedManifest {
  // The library's types say less than what the schema is: plain JSON Schema.
  const { value, problems } = fillAndCheck(manifestSchema as unknown as SchemaNode, document);
  const wrong = problems.map(({ field }) => field);
  const isWrong = (field: string) =>
    wrong.some((other) => other === '' || field === other || field.startsWith(`${other}.`));
  // Past this filter all that a rule reads is there and of its type, so that the cast is true as far as it matters.
  const askable = MANIFEST_CHECKS.filter(({ reads }) => !reads.some(isWrong));
  const broken = askable.flatMap((check) => check.find(value as Manifest) ?? []);
  const all = [...problems, ...broken];
  return all.length === 0 ? { ok: true, event: value as Manifest } : { ok: false, problems: all };
}
