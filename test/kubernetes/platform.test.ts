import { randomBytes } from 'node:crypto';
import type { KubeClient } from '../../operator/platform/kubernetes/client.ts';
import { createKubernetesPlatform, type KubernetesPlatform } from '../../operator/platform/kubernetes/kubernetes.ts';
import type { NoticeObject } from '../../operator/platform/kubernetes/notices.ts';
import type { Notice } from '../../operator/platform/platform.ts';
import { systemClock } from '../../services/kit/clock.ts';
import { type PlatformHarness, platformContract } from '../operator/platform-contract.ts';
import { eventually } from '../support/eventually.ts';
import { clusterOfFile, PATIENT, silent } from './cluster.ts';
import { aPool } from './pool-settings.ts';

const cluster = clusterOfFile({ controllers: false });

async function noticesSeen(admin: KubeClient): Promise<Notice[]> {
  const { items } = await admin.list<NoticeObject>({ apiVersion: 'v1', kind: 'Event' });
  const version = ({ metadata }: NoticeObject) => Number(metadata.resourceVersion);
  return items
    .sort((a, b) => version(a) - version(b))
    .map(({ involvedObject: { namespace, name }, type, reason, message }) => ({
      ...{ event: `${namespace}/${name}`, kind: type, reason, message },
    }));
}

async function makeHarness(): Promise<PlatformHarness> {
  const namespace = await cluster.namespace();
  const leaseName = `lease-${randomBytes(4).toString('hex')}`;
  await cluster.admin().apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  return {
    async open(): Promise<KubernetesPlatform> {
      const platform = createKubernetesPlatform({
        ...{ kubeconfigFile: cluster.kubeconfigFile(), namespace, watchNamespaces: [], pool: () => aPool() },
        // No resync in the middle of a test that counts what is told.
        ...{ leaseName, instance: 'test', log: silent, clock: systemClock, resyncMs: 600_000 },
      });
      await eventually(() => platform.health().ready, PATIENT);
      return platform;
    },
    apply: cluster.apply,
    delete: cluster.delete,
    notices: () => noticesSeen(cluster.admin()),
    killPod: () => Promise.reject(new Error('there is no node')),
    close: async () => {},
  };
}

platformContract('kubernetes', makeHarness, { pods: false });
