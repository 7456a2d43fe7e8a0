import { readdirSync, readFileSync } from 'node:fs';
import luaparse, { type LuaNode } from 'luaparse';
import { describe, expect, test } from 'vitest';
import { SCRIPTS } from '../../lua/loader.ts';

/** What holds for the text of every script: keys, length, first lines, and the same replies told in three places. */

const FOLDER = new URL('../../lua/scripts/', import.meta.url);
const LINES_MAX = 80;
const ALLOW_OOM = [
  'adjust',
  'commit',
  'leave',
  'rebuildBegin',
  'rebuildFinish',
  'rebuildLoad',
  'register',
  'release',
  'remove',
  'trim',
  'unregister',
];
const NO_WRITES = ['lookup', 'snapshot', 'tally'];
/** Commands that name no key, and those whose key stands elsewhere than first. */
const KEYLESS = ['TIME'];
const KEY_AT: Record<string, number> = { XGROUP: 2, XINFO: 2 };
const MANY_KEYS = ['EXISTS', 'DEL', 'UNLINK'];
/** Replies that no literal of the script shows: an integer, and the id that the journal gave. */
const SHOWN_BY_VALUE: Record<string, string[]> = { reserve: ['sold-out'] };

const textOf = (name: string): string => readFileSync(new URL(`${name}.lua`, FOLDER), 'utf8');
const readme = readFileSync(new URL('../README.md', FOLDER), 'utf8');

const nodesOf = (name: string): LuaNode[] => {
  const nodes: LuaNode[] = [];
  // Lua 5.1 knows no `#!` inside a chunk; Redis takes the first line away, and so do we.
  const code = textOf(name).replace(/^#!.*/, '');
  luaparse.parse(code, { luaVersion: '5.1', encodingMode: 'pseudo-latin1', onCreateNode: (node) => nodes.push(node) });
  return nodes;
};

const isNode = (value: unknown): value is LuaNode => typeof value === 'object' && value !== null && 'type' in value;
const nodeAt = (node: LuaNode, property: string): LuaNode => {
  const value = node[property];
  if (!isNode(value)) throw new Error(`${node.type} has no ${property}`);
  return value;
};
const nodesAt = (node: LuaNode, property: string): LuaNode[] => (node[property] as unknown[]).filter(isNode);

/** `redis.call` → ['redis', 'call'] */
const callee = (call: LuaNode): string => {
  const base = nodeAt(call, 'base');
  if (base.type !== 'MemberExpression') return '';
  return `${String(nodeAt(base, 'base')['name'])}.${String(nodeAt(base, 'identifier')['name'])}`;
};
const callsOf = (name: string): LuaNode[][] =>
  nodesOf(name)
    .filter((node) => node.type === 'CallExpression' && callee(node).startsWith('redis.'))
    .map((node) => nodesAt(node, 'arguments'));
const isKey = (node: LuaNode | undefined): boolean =>
  node?.type === 'IndexExpression' && nodeAt(node, 'base')['name'] === 'KEYS';

/** The string literals by which a script can reply, in the order in which they stand. */
const literalsOf = (name: string): string[] => {
  const words: string[] = [];
  const literals = (node: LuaNode): void => {
    if (node.type === 'StringLiteral') words.push(String(node['value']));
    if (node.type === 'LogicalExpression') {
      literals(nodeAt(node, 'left'));
      literals(nodeAt(node, 'right'));
    }
    if (node.type !== 'TableConstructorExpression') return;
    for (const field of nodesAt(node, 'fields')) literals(nodeAt(field, 'value'));
  };
  for (const node of nodesOf(name)) {
    if (node.type === 'ReturnStatement') for (const value of nodesAt(node, 'arguments')) literals(value);
    if (node.type !== 'AssignmentStatement' && node.type !== 'LocalStatement') continue;
    const values = nodesAt(node, 'init');
    nodesAt(node, 'variables').forEach((variable, i) => {
      const value = values[i];
      const replies = ['answer', 'refusal', 'reply', 'EXISTS'].includes(String(variable['name']));
      if (replies && value !== undefined) literals(value);
    });
  }
  return words;
};

const headOf = (name: string): string[] => {
  const lines = textOf(name).split('\n');
  const end = lines.findIndex((line, i) => i > 0 && !line.startsWith('--'));
  return lines.slice(0, end);
};
const repliesInHead = (name: string): string => {
  const head = headOf(name);
  return head.slice(head.findIndex((line) => line.startsWith('-- Replies'))).join('\n');
};
/** First column of the table under a script's heading. */
const repliesInReadme = (name: string): string[] => {
  const section = readme.split(`\n### ${name}\n`)[1]?.split(/\n##/)[0] ?? '';
  return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, word]) => word ?? '');
};

test('every script of the folder is known to the loader, and the other way round', () => {
  const files = readdirSync(FOLDER).map((file) => file.replace(/\.lua$/, ''));
  expect(files.sort()).toEqual([...SCRIPTS].sort());
});

describe.each(SCRIPTS)('%s', (name) => {
  test('is short, begins with its flags and its run, and says what it is for', () => {
    const lines = textOf(name).trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(LINES_MAX);
    expect(lines.filter((line) => line.length > 120)).toEqual([]);
    const flags = ALLOW_OOM.includes(name) ? ' flags=allow-oom' : NO_WRITES.includes(name) ? ' flags=no-writes' : '';
    expect(lines[0]).toBe(`#!lua${flags}`);
    expect(lines[1]).toBe('-- run: @RUN@');
    expect(lines[2]).toMatch(new RegExp(`^-- ${name}: `));
    expect(headOf(name).filter((line) => /^-- (KEYS|ARGV|Replies)/.test(line))).toHaveLength(3);
  });

  test('touches no key that is not in KEYS', () => {
    for (const args of callsOf(name)) {
      const command = String(args[0]?.['value']);
      expect(args[0]?.type, 'the command is a literal').toBe('StringLiteral');
      if (KEYLESS.includes(command)) continue;
      const keys = MANY_KEYS.includes(command) ? args.slice(1) : [args[KEY_AT[command] ?? 1]];
      expect(keys.every(isKey), `${command} of ${name}`).toBe(true);
    }
  });

  test('names every key of KEYS in its head, and uses no more', () => {
    const used = nodesOf(name)
      .filter((node) => node.type === 'IndexExpression' && isKey(node))
      .map((node) => nodeAt(node, 'index')['value'])
      .filter((index) => typeof index === 'number');
    const told = headOf(name).find((line) => line.startsWith('-- KEYS')) ?? '';
    expect(Math.max(...used)).toBeLessThanOrEqual([...told.matchAll(/\d \w+/g)].length);
  });

  test('writes the journal first', () => {
    const writes = callsOf(name).map(([command]) => String(command?.['value']));
    const firstHset = writes.indexOf('HSET');
    const lastXadd = writes.lastIndexOf('XADD');
    if (lastXadd !== -1) expect(lastXadd).toBeLessThan(firstHset);
    for (const args of callsOf(name).filter(([command]) => command?.['value'] === 'XADD')) {
      expect(args[2]?.['value']).toBe('NOMKSTREAM');
    }
  });

  test('replies the same in its code, in its head and in the README', () => {
    const inCode = new Set([...literalsOf(name), ...(SHOWN_BY_VALUE[name] ?? [])]);
    const inReadme = repliesInReadme(name);
    expect(new Set(inReadme)).toEqual(inCode);
    const head = repliesInHead(name);
    const places = inReadme.map((word) => head.search(new RegExp(`(?<![\\w-])${word}(?![\\w-])`)));
    expect(places, `${inReadme.join(' ')} in the head`).not.toContain(-1);
    expect(places, 'in the same order of precedence').toEqual([...places].sort((a, b) => a - b));
  });
});
