import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Manifest } from '../../operator/api/seckill-event.ts';
import { manifestsOf, root, useHelm } from './helm.ts';

const helm = useHelm(4);
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** The words of each `helm install seckill` in a text, as a shell would see them. */
function installs(text: string): string[][] {
  return [...text.replaceAll(/\\\n\s*/g, '').matchAll(/^ *helm .*\binstall seckill helm\/seckill\b(.*)$/gm)].map(
    ([, options = '']) => [...options.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? ''),
  );
}

/** What is set by `--set`. */
function settings(words: readonly string[]): string[] {
  return words.flatMap((word, index) => (words[index - 1] === '--set' ? ['--set', word] : []));
}

const texts = {
  'README.md': read('README.md'),
  'docs/install.md': read('docs/install.md'),
};

describe.each(Object.entries(texts))('the commands in %s', (_path, text) => {
  const commands = installs(text);
  const documented = /```yaml\n# my-values\.yaml\n([\s\S]*?)```/.exec(text)?.[1] ?? '{}';

  it('install a chart that can be rendered', async () => {
    expect(commands.length).toBeGreaterThan(0);
    for (const words of commands) {
      const values = words.includes('my-values.yaml') ? (parse(documented) as object) : {};
      const args = ['template', 'seckill', join(root, 'helm/seckill'), '--namespace', 'seckill', ...settings(words)];
      const { code, stdout, stderr } = await helm.run(args, values);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const names = manifestsOf(stdout).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
      for (const name of ['operator', 'edge', 'order']) expect(names).toContain(`Deployment seckill-${name}`);
    }
  });

  it('wait for an event that they apply, and that is armed whenever they are typed', () => {
    const applied = [...text.matchAll(/kubectl apply -f (examples\/\S+)/g)].map(
      ([, path = '']) => parse(read(path)) as Manifest,
    );
    const waits = [...text.matchAll(/^kubectl -n (\S+) wait --for=condition=Armed ske\/(\S+)/gm)];
    expect(waits.length).toBeGreaterThan(0);
    for (const [, namespace, name] of waits) {
      const event = applied.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
      const { startTime = '', endTime = '' } = event?.spec.schedule ?? {};
      expect(Date.parse(startTime)).toBeLessThan(Date.now());
      expect(Date.parse(endTime)).toBeGreaterThan(Date.now());
    }
  });
});

describe('the chart for trying out', () => {
  it('ends with the command that the documents have', async () => {
    const args = ['install', 'servers', join(root, 'helm/evaluation'), '--namespace', 'seckill', '--dry-run=client'];
    const { stdout } = await helm.run(args);
    const sorted = (words: readonly string[]) =>
      settings(words)
        .filter((word) => word !== '--set')
        .flatMap((word) => word.split(/,(?=[a-z.]+=)/i))
        .sort();
    const [told] = installs(stdout);
    expect(sorted(told ?? [])).toHaveLength(4);
    for (const text of Object.values(texts)) expect(sorted(installs(text)[0] ?? [])).toEqual(sorted(told ?? []));
  });
});

describe('the notes of the chart', () => {
  it.each([
    ['a forwarded port', {}, 'kubectl -n seckill port-forward service/seckill-edge 8080:80'],
    [
      'the host of its Ingress',
      { ingress: { enabled: true, hosts: ['a.example'], tlsSecret: 't' } },
      'https://a.example/v1/',
    ],
    ['the address of its load balancer', { service: { type: 'LoadBalancer' } }, 'get service seckill-edge'],
  ])('lead to the edge by %s', async (_way, edge, expected) => {
    const values = { ...VALUES, edge };
    const args = ['install', 'seckill', join(root, 'helm/seckill'), '--namespace', 'seckill', '--dry-run=client'];
    const { stdout } = await helm.run(args, values);
    const notes = stdout.slice(stdout.indexOf('NOTES:'));
    expect(notes).toContain('helm -n seckill test seckill --logs');
    expect(notes).toContain(expected);
  });
});

const VALUES = {
  redis: { url: 'redis://r:6379' },
  kafka: { brokers: ['k:9092'] },
  mysql: { url: 'mysql://a:b@m/d' },
};
