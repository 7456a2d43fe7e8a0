import { MANIFEST_CHECKS } from './checks.ts';
import type { SchemaNode } from './expected.ts';
import { type Manifest, manifestSchema, type SeckillEventSpec } from './seckill-event.ts';
import { fillIn } from './sentence.ts';
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
    wrong.some((other) => other === '' || `spec.${field}` === other || `spec.${field}`.startsWith(`${other}.`));
  const askable = MANIFEST_CHECKS.filter(({ reads }) => !reads.some(isWrong));
  // Past this filter all that a rule reads is there and of its type, so that the cast is true as far as it matters.
  const spec = (value as Manifest | null)?.spec as SeckillEventSpec;
  const broken = askable.filter(({ holds }) => !holds(spec));
  const all = [
    ...problems,
    ...broken.map(({ field, sentence }) => ({
      field: `spec.${field}`,
      message: `spec.${field} ${fillIn(sentence, { self: spec })}`,
    })),
  ];
  return all.length === 0 ? { ok: true, event: value as Manifest } : { ok: false, problems: all };
}
