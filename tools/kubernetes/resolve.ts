import { dirname } from 'node:path';
import { messageOf } from '../servers/errors.ts';
import type { ServerOptions } from '../servers/options.ts';
import type { MissingServer, ResolvedServer } from '../servers/resolve.ts';
import { findHelm, helmVersion } from './helm.ts';
import { findKubernetesProgram, KUBERNETES_VERSION } from './programs.ts';

type Found = Omit<ResolvedServer, 'server'>;

const resolveControlPlane = async (options: ServerOptions): Promise<Found> => {
  const apiserver = await findKubernetesProgram(options, 'kube-apiserver');
  if (options.kubernetesAssets !== undefined) return { version: '', from: 'named', where: dirname(apiserver) };
  return { version: KUBERNETES_VERSION, from: 'cache', where: dirname(apiserver) };
};

const resolveHelm = async (options: ServerOptions, major: 3 | 4): Promise<Found> => {
  const helm = await findHelm(options, major);
  const from = helm.startsWith(options.cacheFolder()) ? 'cache' : 'path';
  return { version: await helmVersion(helm), from, where: helm };
};

/**
 * What the tests of the operator on Kubernetes need beside the servers: found, or made once, which may take ten minutes.
 * Done before the tests, so that no test's time limit has to allow for it.
 */
export const resolveKubernetes = async (options: ServerOptions): Promise<(ResolvedServer | MissingServer)[]> => {
  const rows: [ResolvedServer['server'], () => Promise<Found>][] = [
    ['Kubernetes', () => resolveControlPlane(options)],
    ['Helm 3', () => resolveHelm(options, 3)],
    ['Helm 4', () => resolveHelm(options, 4)],
  ];
  return Promise.all(
    rows.map(async ([server, find]) => {
      try {
        return { server, ...(await find()) };
      } catch (error) {
        return { server, missing: messageOf(error) };
      }
    }),
  );
};
