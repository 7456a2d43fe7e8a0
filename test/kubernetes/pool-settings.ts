import type { PoolSettings } from '../../operator/platform/kubernetes/pool-settings.ts';

/** Settings as the chart renders them, small; nothing in this image is ever started. */
export function aPool(changes: Partial<PoolSettings> = {}): PoolSettings {
  return {
    ...{ release: 'seckill', labels: { 'helm.sh/chart': 'seckill-0.1.0' }, port: 8_080 },
    clusterDomain: 'cluster.local',
    podDisruptionBudget: { maxUnavailable: '25%' },
    networkPolicy: {
      ingress: [
        { from: [{ podSelector: { matchLabels: { app: 'edge' } } }], ports: [{ port: 8_080, protocol: 'TCP' }] },
      ],
      egress: [],
    },
    podTemplate: podTemplate('1'),
    ...changes,
  };
}

export function podTemplate(tag: string): PoolSettings['podTemplate'] {
  return {
    metadata: { annotations: { note: 'x' } },
    spec: {
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1_000, seccompProfile: { type: 'RuntimeDefault' } },
      terminationGracePeriodSeconds: 30,
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' },
      ],
      containers: [
        {
          ...{ name: 'seckill', image: `registry.local/seckill:${tag}`, args: ['services/seckill/main.ts'] },
          env: [
            { name: 'EMPTY', value: '' },
            { name: 'SECKILL_REDIS_URL', valueFrom: { secretKeyRef: { name: 'redis', key: 'url' } } },
            { name: 'SECKILL_INSTANCE', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          ],
          ports: [{ name: 'http', containerPort: 8_080 }],
          // Written in other words than the server's, which says "1" and "1Gi".
          resources: { requests: { cpu: '1000m', memory: '1024Mi' }, limits: { memory: '1024Mi' } },
          readinessProbe: { httpGet: { path: '/readyz', port: 'http' }, periodSeconds: 1 },
          lifecycle: { preStop: { sleep: { seconds: 5 } } },
          securityContext: {
            ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
            capabilities: { drop: ['ALL'] },
          },
          volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
        },
      ],
      volumes: [
        { name: 'tmp', emptyDir: {} },
        { name: 'keys', secret: { secretName: 'token-keys' } },
      ],
    },
  };
}
