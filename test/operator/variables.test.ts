import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { OPERATOR_VARIABLES, platformChoice } from '../../operator/variables.ts';
import { loadConfig } from '../../services/kit/config.ts';

const SCHEMA = Type.Object(OPERATOR_VARIABLES);
const KUBERNETES = {
  ...{ SECKILL_PLATFORM: 'kubernetes', SECKILL_NAMESPACE: 'seckill', SECKILL_POOL_FILE: '/etc/pool.json' },
  ...{ SECKILL_TOKEN_SECRET: 'token-keys', KUBERNETES_SERVICE_HOST: '10.0.0.1' },
};
const HOST = { SECKILL_STATE_DIR: '/var/lib/seckill', SECKILL_TOKEN_KEYS_FILE: '/var/lib/seckill/keys.json' };

const choose = (environment: Record<string, string | undefined>) => platformChoice(loadConfig(SCHEMA, environment));

describe('the environment of an operator', () => {
  test('names the host platform if it names none', () => {
    expect(choose({ ...HOST, SECKILL_POD_ENV: '{"A":"b"}' })).toEqual({
      ...{ kind: 'host', stateDir: HOST.SECKILL_STATE_DIR, tokenKeysFile: HOST.SECKILL_TOKEN_KEYS_FILE },
      podEnv: { A: 'b' },
    });
  });

  test('names the Kubernetes platform, all namespaces and the service account if it says no more', () => {
    const plain = { kind: 'kubernetes', namespace: 'seckill', poolFile: '/etc/pool.json', tokenSecret: 'token-keys' };
    expect(choose({ ...KUBERNETES, SECKILL_WATCH_NAMESPACES: '' })).toEqual({
      ...{ ...plain, watchNamespaces: [], leaseName: 'seckill-operator', kubeconfigFile: undefined },
    });
    const more = { SECKILL_WATCH_NAMESPACES: 'shop,toys', SECKILL_LEASE_NAME: 'mine', KUBECONFIG: '/k' };
    expect(choose({ ...KUBERNETES, ...more })).toEqual({
      ...{ ...plain, watchNamespaces: ['shop', 'toys'], leaseName: 'mine', kubeconfigFile: '/k' },
    });
  });

  test.each([
    ['SECKILL_PLATFORM', 'nomad', /SECKILL_PLATFORM must be host or kubernetes, not "nomad"/],
    [
      'SECKILL_NAMESPACE',
      undefined,
      /SECKILL_NAMESPACE is missing: with SECKILL_PLATFORM=kubernetes it must be the name/,
    ],
    ['SECKILL_NAMESPACE', 'A_', /SECKILL_NAMESPACE must be the namespace of the release, not "A_"/],
    ['SECKILL_POOL_FILE', undefined, /SECKILL_POOL_FILE is missing: .* the path of the file/],
    ['SECKILL_TOKEN_SECRET', undefined, /SECKILL_TOKEN_SECRET is missing: .* the name of the Secret/],
    ['SECKILL_WATCH_NAMESPACES', 'a,,b', /SECKILL_WATCH_NAMESPACES must be a comma-separated list/],
    ['SECKILL_LEASE_NAME', 'A', /SECKILL_LEASE_NAME must be the name of the Lease/],
    ['KUBERNETES_SERVICE_HOST', undefined, /KUBECONFIG is missing: outside of a pod it must be the path/],
  ])('%s=%s is refused with a sentence', (name, value, sentence) => {
    expect(() => choose({ ...KUBERNETES, [name]: value })).toThrow(sentence);
  });

  test('that lacks several variables of its platform names them all', () => {
    expect(() => choose({})).toThrow(/SECKILL_STATE_DIR is missing[\s\S]*SECKILL_TOKEN_KEYS_FILE is missing/);
  });
});
