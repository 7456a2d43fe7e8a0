import { crd } from '../../operator/api/crd.ts';

/** Rules and schemas of the CustomResourceDefinition, as far as tests take them apart. */
export interface CelRule {
  rule: string;
  message: string;
  fieldPath?: string;
}

interface Node {
  description?: string;
  properties?: Record<string, Node>;
  items?: Node;
  'x-kubernetes-validations'?: CelRule[];
}

export interface Crd {
  metadata: { name: string };
  spec: {
    group: string;
    versions: { name: string; storage: boolean; schema: { openAPIV3Schema: Node } }[];
    [field: string]: unknown;
  };
  [field: string]: unknown;
}

export const theCrd = (): Crd => structuredClone(crd()) as unknown as Crd;

export function rootOf({ spec }: Crd): Node {
  const root = spec.versions[0]?.schema.openAPIV3Schema;
  if (root === undefined) throw new Error('the CRD has no version');
  return root;
}

/** Visits every node with its path, which is empty at the root. */
export function eachNode(node: Node, visit: (node: Node, path: string) => void, path = ''): void {
  visit(node, path);
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    eachNode(child, visit, path === '' ? name : `${path}.${name}`);
  }
  if (node.items !== undefined) eachNode(node.items, visit, `${path}[]`);
}

/** Every rule of CEL in the order of the schema, with the field that it blames. */
export function celRules(crd: Crd): { path: string; rule: CelRule }[] {
  const found: { path: string; rule: CelRule }[] = [];
  eachNode(rootOf(crd), (node, path) => {
    for (const rule of node['x-kubernetes-validations'] ?? [])
      found.push({ path: `${path}${rule.fieldPath ?? ''}`, rule });
  });
  return found.map(({ path, rule }) => ({ path: path.replace(/^\./, '') || 'metadata.name', rule }));
}

const MUTANT_GROUP = 'mutants.seckill.io';

/**
 * The same CRD under another group with one more version for each rule, `without0`, `without1`, …, in which that rule
 * is missing. One object can be written through all of them.
 */
export function crdOfMutants(): { crd: Crd; group: string; all: string; versions: string[] } {
  const whole = theCrd();
  const [version] = whole.spec.versions;
  if (version === undefined) throw new Error('the CRD has no version');
  // Descriptions are most of the text, and the API server keeps an object of a bounded size.
  eachNode(rootOf(whole), (node) => {
    delete node.description;
  });
  const versions = celRules(whole).map((_rule, index) => {
    const mutant = structuredClone(version);
    let seen = -1;
    eachNode(mutant.schema.openAPIV3Schema, (node) => {
      const rules = node['x-kubernetes-validations'];
      if (rules === undefined) return;
      node['x-kubernetes-validations'] = rules.filter(() => {
        seen += 1;
        return seen !== index;
      });
    });
    return { ...mutant, name: `without${index}`, storage: false };
  });
  const { name } = whole.metadata;
  whole.metadata.name = name.replace(whole.spec.group, MUTANT_GROUP);
  whole.spec.group = MUTANT_GROUP;
  const plain = { plural: 'seckillevents', singular: 'seckillevent', kind: 'SeckillEvent' };
  whole.spec['names'] = plain;
  whole.spec.versions = [version, ...versions];
  return { crd: whole, group: MUTANT_GROUP, all: version.name, versions: versions.map(({ name }) => name) };
}
