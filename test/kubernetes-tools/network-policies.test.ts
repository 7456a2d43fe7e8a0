import { expect, test } from 'vitest';
import { type NetworkPolicy, type PodOfNetwork, stoppedAt } from '../e2e/network-policies.ts';

const pod = (component: string, namespace = 'release'): PodOfNetwork => ({
  namespace,
  labels: { component },
  ports: { http: 8080 },
});

const policy = (component: string, spec: Omit<NetworkPolicy['spec'], 'podSelector'>): NetworkPolicy => ({
  metadata: { namespace: 'release', name: component },
  spec: { podSelector: { matchLabels: { component } }, ...spec },
});

const policies = [
  policy('edge', {
    policyTypes: ['Ingress', 'Egress'],
    egress: [{ ports: [{ port: 'http' }], to: [{ podSelector: { matchLabels: { component: 'sale' } } }] }],
  }),
  policy('sale', {
    policyTypes: ['Ingress', 'Egress'],
    ingress: [{ ports: [{ port: 8080 }], from: [{ podSelector: { matchLabels: { component: 'edge' } } }] }],
    egress: [{ ports: [{ port: 6379 }] }, { ports: [{ port: 53, protocol: 'UDP' }] }],
  }),
];

test.each([
  ['the edge may reach a sale by the name of its port', pod('edge'), pod('sale'), 8080, undefined],
  ['the edge may reach no other port', pod('edge'), pod('sale'), 9090, 'Egress'],
  ['the edge may reach nothing outside', pod('edge'), '10.0.0.1', 6379, 'Egress'],
  ['a sale may reach any address by the port of Redis', pod('sale'), '10.0.0.1', 6379, undefined],
  ['a port of UDP is none of TCP', pod('sale'), '10.0.0.1', 53, 'Egress'],
  ['whoever no policy selects may send, but not be let in', pod('other'), pod('sale'), 8080, 'Ingress'],
  ['a pod of another namespace is not meant by a selector of pods', pod('edge', 'shop'), pod('sale'), 8080, 'Ingress'],
  ['where no policy selects either, all is open', pod('other'), pod('another'), 1, undefined],
] as const)('%s', (_sentence, from, to, port, stopped) => {
  expect(stoppedAt(policies, { from, to, port })).toBe(stopped);
});
