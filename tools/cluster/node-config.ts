import { join } from 'node:path';
import { PODS_MAX } from './limits.ts';
import type { NodeParts } from './node-parts.ts';
import { CLUSTER_NAME, type ClusterPlace, LINK, METRICS_PORT, NODE_ADDRESS, POD_CIDR } from './place.ts';

export const PAUSE_IMAGE = 'registry.local/pause:1';

/** Plugins that look for devices and services which the cluster does not use. */
const DISABLED_PLUGINS = [
  'io.containerd.snapshotter.v1.aufs',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.zfs',
  'io.containerd.internal.v1.opt',
  'io.containerd.tracing.processor.v1.otlp',
];

const containerd = (place: ClusterPlace, parts: NodeParts): string => `version = 2
root = "${place.dir}/containerd"
state = "${place.socketDir}/state"
disabled_plugins = ${JSON.stringify(DISABLED_PLUGINS)}
[grpc]
  address = "${place.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  disable_apparmor = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  # Without CAP_SYS_RESOURCE, as in many containers and small machines, a negative score is refused and runc dies of it.
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${parts.cni}"
    conf_dir = "${place.dir}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "${parts.runc}"
`;

const network = () => ({
  cniVersion: '1.0.0',
  name: 'seckill',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      isDefaultGateway: true,
      hairpinMode: true,
      ipam: { type: 'host-local', dataDir: '/run/cni', ranges: [[{ subnet: POD_CIDR }]] },
    },
  ],
});

const kubelet = (place: ClusterPlace) => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  containerRuntimeEndpoint: `unix://${place.socket}`,
  address: NODE_ADDRESS,
  healthzBindAddress: '127.0.0.1',
  tlsCertFile: join(place.pki, 'kubelet-server.crt'),
  tlsPrivateKeyFile: join(place.pki, 'kubelet-server.key'),
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true },
    x509: { clientCAFile: join(place.pki, 'ca.crt') },
  },
  authorization: { mode: 'Webhook' },
  clusterDomain: 'cluster.local',
  clusterDNS: [NODE_ADDRESS],
  resolvConf: '',
  failCgroupV1: false,
  cgroupDriver: 'cgroupfs',
  cgroupRoot: `/${CLUSTER_NAME}`,
  enforceNodeAllocatable: ['pods'],
  failSwapOn: false,
  volumePluginDir: join(place.dir, 'kubelet/volume-plugins'),
  podLogsDir: join(place.dir, 'pod-logs'),
  // The disk is the developer's: that it is rather full is no reason to throw pods and images away.
  evictionHard: {
    'memory.available': '100Mi',
    'nodefs.available': '1%',
    'imagefs.available': '1%',
    'nodefs.inodesFree': '1%',
  },
  imageGCHighThresholdPercent: 100,
  imageGCLowThresholdPercent: 99,
  maxPods: PODS_MAX,
  nodeStatusUpdateFrequency: '5s',
  syncFrequency: '10s',
});

const proxy = (place: ClusterPlace) => ({
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  bindAddress: '127.0.0.1',
  metricsBindAddress: '127.0.0.1:10249',
  healthzBindAddress: '127.0.0.1:10256',
  clientConnection: { kubeconfig: join(place.pki, 'kube-proxy.kubeconfig') },
  clusterCIDR: POD_CIDR,
  mode: 'iptables',
  iptables: { minSyncPeriod: '0s' },
  nodePortAddresses: [`${NODE_ADDRESS}/32`],
  // These are the machine's, not the namespace's: zeros leave them as they are.
  conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
});

const dns = (place: ClusterPlace): string => `cluster.local:53 {
  bind ${NODE_ADDRESS}
  errors
  cache 2
  kubernetes cluster.local {
    kubeconfig ${join(place.pki, 'admin.kubeconfig')} seckill
    ttl 2
  }
}
`;

/** The configuration files of a node's parts, by their names below the cluster's folder. */
export const nodeFiles = (place: ClusterPlace, parts: NodeParts): Record<string, string> => ({
  'containerd.toml': containerd(place, parts),
  'cni/10-seckill.conflist': JSON.stringify(network()),
  'kubelet.json': JSON.stringify(kubelet(place)),
  'kube-proxy.json': JSON.stringify(proxy(place)),
  Corefile: dns(place),
});

/** Pods reach one another, services and what runs on the node's address; not the machine behind the link. */
export const FENCE = ['-I', 'FORWARD', '-o', LINK.node, '-m', 'conntrack', '--ctstate', 'NEW', '-j', 'REJECT'];

/** The metrics API, served by a process on the node's address: what the autoscaler asks for CPU. */
export const metricsManifests = () => [
  {
    path: '/api/v1/namespaces/kube-system/services',
    body: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'metrics-server', namespace: 'kube-system' },
      spec: { ports: [{ name: 'https', port: 443, targetPort: METRICS_PORT }] },
    },
  },
  {
    path: '/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices',
    body: {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: 'metrics-server',
        namespace: 'kube-system',
        labels: { 'kubernetes.io/service-name': 'metrics-server' },
      },
      addressType: 'IPv4',
      ports: [{ name: 'https', port: METRICS_PORT, protocol: 'TCP' }],
      endpoints: [{ addresses: [NODE_ADDRESS], conditions: { ready: true } }],
    },
  },
  {
    path: '/apis/apiregistration.k8s.io/v1/apiservices',
    body: {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: 'v1beta1.metrics.k8s.io' },
      spec: {
        group: 'metrics.k8s.io',
        version: 'v1beta1',
        groupPriorityMinimum: 100,
        versionPriority: 100,
        insecureSkipTLSVerify: true,
        service: { name: 'metrics-server', namespace: 'kube-system', port: 443 },
      },
    },
  },
];
