/** The parts of NetworkPolicies that the chart and the operator use. */
export interface Selector {
  matchLabels?: Record<string, string>;
}

interface Peer {
  podSelector?: Selector;
  namespaceSelector?: Selector;
  ipBlock?: { cidr: string };
}

interface Rule {
  ports?: { port?: number | string; protocol?: string }[];
  from?: Peer[];
  to?: Peer[];
}

export interface NetworkPolicy {
  metadata: { namespace: string; name: string };
  spec: { podSelector: Selector; policyTypes?: string[]; ingress?: Rule[]; egress?: Rule[] };
}

export interface PodOfNetwork {
  namespace: string;
  labels: Record<string, string>;
  /** Ports of its containers by their names. */
  ports: Record<string, number>;
}

/** A TCP connection from a pod: to another, or to an address outside of all pods. */
export interface Connection {
  from: PodOfNetwork;
  to: PodOfNetwork | string;
  port: number;
}

const selects = ({ matchLabels = {} }: Selector, labels: Record<string, string>): boolean =>
  Object.entries(matchLabels).every(([name, value]) => labels[name] === value);

/** Empty selectors select all; of namespaces only such are in use. */
const isPeer = (peer: Peer, policy: NetworkPolicy, other: PodOfNetwork | string): boolean => {
  if (typeof other === 'string') return peer.ipBlock?.cidr === `${other}/32`;
  if (peer.ipBlock !== undefined) return false;
  const sameNamespace = peer.namespaceSelector !== undefined || other.namespace === policy.metadata.namespace;
  return sameNamespace && selects(peer.podSelector ?? {}, other.labels);
};

const hasPort = (rule: Rule, port: number, target: PodOfNetwork | string): boolean =>
  rule.ports === undefined ||
  rule.ports.some(({ port: named, protocol = 'TCP' }) => {
    const number = typeof named === 'string' && typeof target !== 'string' ? target.ports[named] : named;
    return protocol === 'TCP' && (number === undefined || number === port);
  });

type Direction = 'Ingress' | 'Egress';

/** Whether the policies that select this end let it through; an end that none selects is open. */
const letsThrough = (
  policies: readonly NetworkPolicy[],
  direction: Direction,
  end: PodOfNetwork,
  { from, to, port }: Connection,
): boolean => {
  const selecting = policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === end.namespace &&
      (spec.policyTypes ?? ['Ingress']).includes(direction) &&
      selects(spec.podSelector, end.labels),
  );
  if (selecting.length === 0) return true;
  return selecting.some((policy) => {
    const rules = (direction === 'Ingress' ? policy.spec.ingress : policy.spec.egress) ?? [];
    return rules.some((rule) => {
      const peers = direction === 'Ingress' ? rule.from : rule.to;
      const other = direction === 'Ingress' ? from : to;
      return hasPort(rule, port, to) && (peers === undefined || peers.some((peer) => isPeer(peer, policy, other)));
    });
  });
};

/** Which end the policies would stop this connection at; undefined when they let it through. */
export const stoppedAt = (policies: readonly NetworkPolicy[], connection: Connection): Direction | undefined => {
  if (!letsThrough(policies, 'Egress', connection.from, connection)) return 'Egress';
  const { to } = connection;
  return typeof to === 'string' || letsThrough(policies, 'Ingress', to, connection) ? undefined : 'Ingress';
};
