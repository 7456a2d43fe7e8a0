import assert from 'node:assert/strict';
import { EVENT_NAME_MAX_CHARS } from '../../services/domain/limits.ts';
import { CHANGE_CHECKS, MAY_CHANGE_CEL } from './change-checks.ts';
import { MANIFEST_CHECKS } from './checks.ts';
import type { SchemaNode } from './expected.ts';
import { PATTERN_TEXT_MAX_CHARS } from './limits.ts';
import { API_VERSION, KIND, manifestSchema } from './seckill-event.ts';
import { celMessage, celText } from './sentence.ts';
import { statusSchema } from './status.ts';

/** One rule of x-kubernetes-validations. */
interface CelRule {
  rule: string;
  message: string;
  messageExpression?: string;
  fieldPath?: string;
  reason?: 'FieldValueForbidden';
}

/** A structural schema of the API server: JSON Schema with less, and with CEL. */
interface StructuralSchema {
  type: string;
  description?: string;
  format?: string;
  default?: unknown;
  enum?: readonly unknown[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  maxItems?: number;
  items?: StructuralSchema;
  required?: string[];
  properties?: Record<string, StructuralSchema>;
  'x-kubernetes-list-type'?: 'map';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: CelRule[];
}

/** As far as others must know it; the rest is the API server's. */
export interface CustomResourceDefinition {
  apiVersion: string;
  kind: string;
  metadata: { name: string; annotations: Record<string, string>; labels: Record<string, string> };
  spec: object;
}

/** The CustomResourceDefinition (apiextensions.k8s.io/v1), with all that a manifest is checked for. */
export function crd(): CustomResourceDefinition {
  const [group, version] = API_VERSION.split('/');
  const plural = `${KIND.toLowerCase()}s`;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      // Whoever removes the release must not remove every event of the cluster with it.
      annotations: { 'helm.sh/resource-policy': 'keep' },
      labels: { 'app.kubernetes.io/name': 'seckill', 'app.kubernetes.io/component': 'crd' },
    },
    spec: {
      group,
      scope: 'Namespaced',
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural,
        singular: KIND.toLowerCase(),
        shortNames: ['ske'],
        categories: ['all'],
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: printerColumns(),
          schema: { openAPIV3Schema: rootSchema() },
        },
      ],
    },
  };
}

/** What `kubectl get ske` shows. A column of the type date would call every time that is to come invalid. */
function printerColumns(): object[] {
  const column = (name: string, type: string, jsonPath: string, more: object = {}) => ({
    ...{ name, type, jsonPath },
    ...more,
  });
  return [
    column('Phase', 'string', '.status.phase'),
    column('Opens', 'string', '.spec.schedule.startTime'),
    column('Stock', 'integer', '.status.stock.total'),
    column('Sold', 'integer', '.status.stock.sold'),
    column('Drift', 'integer', '.status.stock.drift'),
    column('Pods', 'integer', '.status.pods.ready', { description: 'Pods that are ready.' }),
    column('Age', 'date', '.metadata.creationTimestamp'),
    column('Wanted', 'integer', '.status.pods.wanted', { priority: 1, description: 'Pods that are wanted now.' }),
    column('Reason', 'string', '.status.reason', { priority: 1 }),
  ];
}

function rootSchema(): StructuralSchema {
  const manifest = manifestSchema as unknown as SchemaNode;
  const { apiVersion, kind, metadata, spec } = manifest.properties ?? {};
  assert(apiVersion && kind && metadata && spec);
  const specWithRules = structural(spec);
  specWithRules['x-kubernetes-validations'] = MANIFEST_CHECKS.map(({ field, cel, sentence }) => ({
    rule: cel,
    ...celMessage(sentence),
    fieldPath: `.${field}`,
  }));
  return {
    type: 'object',
    ...(manifest.description === undefined ? {} : { description: manifest.description }),
    required: ['spec'],
    properties: {
      // The API server checks these itself, and takes no description of the metadata.
      apiVersion: { type: 'string', ...described(apiVersion) },
      kind: { type: 'string', ...described(kind) },
      metadata: { type: 'object' },
      spec: specWithRules,
      status: structural(statusSchema as unknown as SchemaNode, 'optional'),
    },
    'x-kubernetes-validations': [nameRule(metadata), ...changeRules()],
  };
}

const described = ({ description }: SchemaNode) => (description === undefined ? {} : { description });

/** The API server lets nothing but the root look at a name. */
function nameRule(metadata: SchemaNode): CelRule {
  const name = metadata.properties?.['name'];
  assert(name?.pattern !== undefined && name.expect !== undefined);
  return {
    rule: `size(self.metadata.name) <= ${EVENT_NAME_MAX_CHARS} && self.metadata.name.matches(${celText(name.pattern)})`,
    message: `metadata.name must be ${name.expect}`,
  };
}

/** Each passes at once while the spec stays as it is, so that statuses and finalizers always go through. */
function changeRules(): CelRule[] {
  return CHANGE_CHECKS.map(({ field, cel, sentence }) => ({
    rule: `self.spec == oldSelf.spec || ${MAY_CHANGE_CEL} || (${cel})`,
    ...celMessage(sentence),
    fieldPath: `.spec.${field}`,
    reason: 'FieldValueForbidden' as const,
  }));
}

/** `optional`: nothing is required but the keys of lists, which are told apart by them. */
function structural(
  node: SchemaNode,
  presence: 'optional' | 'as it is' = 'as it is',
  keys: string[] = [],
): StructuralSchema {
  const { type = 'string', description, default: fallback, enum: values } = node;
  const base: StructuralSchema = {
    type,
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(values === undefined ? {} : { enum: values }),
  };
  if (type === 'string') return { ...base, ...text(node) };
  if (type === 'integer') return { ...base, format: 'int64', ...bounds(node) };
  if (type === 'array') {
    const { items, maxItems, uniqueBy } = node;
    assert(items !== undefined && maxItems !== undefined && uniqueBy !== undefined, 'a list has a bound and a key');
    return {
      ...base,
      maxItems,
      items: structural(items, presence, [uniqueBy]),
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': [uniqueBy],
    };
  }
  if (type !== 'object') return base;
  const children = Object.entries(node.properties ?? {});
  const required = presence === 'optional' ? keys : (node.required ?? []).filter((name) => !hasDefault(node, name));
  return {
    ...base,
    ...(required.length > 0 ? { required } : {}),
    properties: Object.fromEntries(children.map(([name, child]) => [name, structural(child, presence)])),
  };
}

const hasDefault = (node: SchemaNode, name: string): boolean => node.properties?.[name]?.default !== undefined;

function bounds({ minimum, maximum }: SchemaNode): Pick<StructuralSchema, 'minimum' | 'maximum'> {
  return { ...(minimum === undefined ? {} : { minimum }), ...(maximum === undefined ? {} : { maximum }) };
}

/** A pattern tells nobody what to write: where we have words for it, it becomes a rule that says them. */
function text(node: SchemaNode): Partial<StructuralSchema> {
  const { minLength, pattern, expect, format, enum: values } = node;
  if (values !== undefined) return {};
  const maxLength = node.maxLength ?? PATTERN_TEXT_MAX_CHARS;
  if (pattern === undefined) return { ...(minLength === undefined ? {} : { minLength }), maxLength };
  assert(expect !== undefined, 'a pattern has its words');
  const rules = [`self.matches(${celText(pattern)})`];
  // It fails, and refuses with these words, where there is no such day.
  if (format === 'date-time') rules.push('timestamp(self) > timestamp("1000-01-01T00:00:00Z")');
  return { maxLength, 'x-kubernetes-validations': [{ rule: rules.join(' && '), message: `must be ${expect}` }] };
}
