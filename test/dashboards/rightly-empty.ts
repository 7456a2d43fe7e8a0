/** Queries that find nothing in a healthy sale, with the reason; each of them then finds something in one with faults. */
export const EMPTY_WHEN_WELL: Readonly<Record<string, string>> = {
  'seckill-sale-live / Countdown / C': 'the sale was closed before the end of its window',
  'seckill-sale-live / Armed, or what hinders it / B': 'no blocking check fails',
  'seckill-sale-live / Armed, or what hinders it / C': 'no check that advises fails',
  'seckill-sale-live / Armed, or what hinders it / D': 'nothing waits for a person',
  'seckill-sale-live / Armed, or what hinders it / E': 'it is armed, or its checks are being made',
  'seckill-stock-accuracy / Contradictions found / A': 'Redis and ledger contradict each other nowhere',
  'seckill-order-pipeline / Tried again / A': 'the ledger takes everything the first time',
  'seckill-operator / Waits for a person / A': 'nothing waits for a person',
  'seckill-operator / Failing checks / A': 'all checks pass',
};

/** Those of them that find nothing at any moment of it: checks may fail until all is up, the ledger may be asked twice. */
export const NEVER_WHEN_WELL: readonly string[] = [
  'seckill-sale-live / Armed, or what hinders it / D',
  'seckill-stock-accuracy / Contradictions found / A',
  'seckill-operator / Waits for a person / A',
];

/** Queries that are zero in a healthy sale, and above it in one with faults. */
export const ZERO_WHEN_WELL: readonly string[] = [
  'seckill-sale-live / Errors / A',
  'seckill-sale-live / Sent away unasked / A',
  'seckill-order-pipeline / Dead letters / A',
  'seckill-order-pipeline / Dead letters over time / A',
  'seckill-operator / Waits for a person / A',
  'seckill-capacity / Calls of Redis that failed / A',
];

const CLUSTER = 'of a cluster: kube-state-metrics and cAdvisor tell it';

/** Queries that find nothing on one machine at all, with the reason. */
export const DATA_ELSEWHERE: Readonly<Record<string, string>> = {
  'seckill-capacity / Autoscaler / A': CLUSTER,
  'seckill-capacity / Autoscaler / B': CLUSTER,
  'seckill-capacity / CPU of what was requested / A': CLUSTER,
};
