import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import {
  type ControlPlane,
  type StartControlPlaneOptions,
  startControlPlane,
} from '../../tools/kubernetes/control-plane.ts';
import { LOCK_WAIT_TIMEOUT_MS } from '../../tools/kubernetes/limits.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { eventually } from './eventually.ts';

export interface ControlPlaneOfFile {
  /** The administrator's. */
  kubeconfigFile(): string;
  plane(): ControlPlane;
  /** Makes a namespace of a random name, in which pods could be created. */
  namespace(): Promise<string>;
}

const NAMESPACE_DEADLINE_MS = 60_000;

/**
 * A Kubernetes API of this test file (or of this `describe`): the real API server, etcd, controllers and scheduler, no
 * node. Started before its tests, gone after them. It costs some ten seconds and 0.7 GB: keep the files that call it few,
 * and share one among many tests by namespaces. Where no binaries are there yet they are built first, which takes long.
 */
export const useControlPlane = (options: StartControlPlaneOptions = {}): ControlPlaneOfFile => {
  let running: ControlPlane | undefined;
  const plane = (): ControlPlane => {
    if (running === undefined)
      throw new Error('useControlPlane() starts in beforeAll: use it inside of a hook or a test');
    return running;
  };
  beforeAll(async () => {
    running = await startControlPlane(serverOptions(process.env), options);
  }, LOCK_WAIT_TIMEOUT_MS);
  afterAll(async () => {
    await running?.stop();
  });

  const namespace = async (): Promise<string> => {
    const name = `test-${randomBytes(5).toString('hex')}`;
    const { ask } = plane();
    const made = await ask('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    if (made.status !== 201) throw new Error(`the namespace was not made: ${made.status} ${made.body}`);
    if (options.controllers === false) return name;
    const account = `/api/v1/namespaces/${name}/serviceaccounts/default`;
    await eventually(async () => (await ask('GET', account)).status === 200, { deadlineMs: NAMESPACE_DEADLINE_MS });
    return name;
  };

  return { kubeconfigFile: () => plane().kubeconfigFile, plane, namespace };
};
