import type {
  V1ContainerStatus,
  V1DeploymentStatus,
  V1PodStatus,
  V2HorizontalPodAutoscalerStatus,
} from '@kubernetes/client-node';
import { PROBLEM_MAX_CHARS, PROBLEMS_MAX, UNMEASURED_PATIENCE_MS, UNREADY_PATIENCE_MS } from './workload-limits.ts';

const UNPULLABLE = ['ErrImagePull', 'ImagePullBackOff', 'ErrImageNeverPull', 'InvalidImageName', 'ImageInspectError'];
const UNSTARTABLE = ['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError'];

interface SeenPod {
  metadata?: { deletionTimestamp?: unknown };
  status?: V1PodStatus;
}

interface SeenAutoscaler {
  status?: V2HorizontalPodAutoscalerStatus;
}

/** What keeps the pods of a pool from becoming ready, a sentence for each cause, the most frequent first. */
export function podProblems(
  pods: readonly SeenPod[],
  deployment: { status?: V1DeploymentStatus } | undefined,
  nowMs: number,
): string[] {
  const counts = new Map<string, number>();
  for (const pod of pods) {
    const cause = isReady(pod) ? undefined : causeOf(pod, nowMs);
    if (cause !== undefined) counts.set(cause, (counts.get(cause) ?? 0) + 1);
  }
  const told = [...counts].sort(([, a], [, b]) => b - a).map(([cause, count]) => `${podsText(count)}: ${cause}`);
  const refused = deployment?.status?.conditions?.find(
    ({ type, status }) => type === 'ReplicaFailure' && status === 'True',
  );
  const all = refused === undefined ? told : [`pods cannot be created: ${refused.message ?? refused.reason}`, ...told];
  return all.slice(0, PROBLEMS_MAX).map((text) => text.slice(0, PROBLEM_MAX_CHARS));
}

const podsText = (count: number): string => (count === 1 ? '1 pod' : `${count} pods`);

/** Ready as a Service sees it: a pod that is told to stop gets no new requests. */
export function isReady({ metadata, status }: SeenPod): boolean {
  if (metadata?.deletionTimestamp !== undefined) return false;
  return status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false;
}

/** The text must be the same for all pods with the same cause: they are counted by it. */
function causeOf({ metadata, status }: SeenPod, nowMs: number): string | undefined {
  if (metadata?.deletionTimestamp !== undefined) return undefined;
  const unscheduled = status?.conditions?.find(
    ({ type, reason }) => type === 'PodScheduled' && reason === 'Unschedulable',
  );
  if (unscheduled !== undefined) return `no node takes it: ${unscheduled.message ?? 'unschedulable'}`;
  if (status?.phase === 'Failed') return `it failed: ${status.message ?? status.reason ?? 'unknown'}`;
  for (const container of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const cause = containerCause(container);
    if (cause !== undefined) return cause;
  }
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.lastTransitionTime === undefined) return undefined;
  if (nowMs - new Date(ready.lastTransitionTime).getTime() < UNREADY_PATIENCE_MS) return undefined;
  if (status?.phase === 'Running') return 'it runs, and its readiness probe fails';
  return 'it does not start: a Secret or ConfigMap that it mounts may be missing (kubectl describe pod says which)';
}

function containerCause({ image, state, lastState }: V1ContainerStatus): string | undefined {
  const { reason = '', message = '' } = state?.waiting ?? {};
  const why = message === '' ? reason : `${reason}, ${message}`;
  if (UNPULLABLE.includes(reason)) return `the image ${image} cannot be pulled (${why})`;
  if (UNSTARTABLE.includes(reason)) return `it cannot be started (${why})`;
  if (reason !== 'CrashLoopBackOff') return undefined;
  const end = lastState?.terminated;
  const how = end === undefined ? '' : `, last with exit code ${end.exitCode} (${end.reason ?? 'unknown'})`;
  return `it ends again and again${how}`;
}

/** The autoscaler wanted more pods than it may start. */
export function isAtCeiling(hpa: SeenAutoscaler | undefined): boolean {
  return (
    hpa?.status?.conditions?.some(
      ({ type, status, reason }) => type === 'ScalingLimited' && status === 'True' && reason === 'TooManyReplicas',
    ) ?? false
  );
}

/** Why it does not follow the load, when that has been so for a while. */
export function autoscalerProblem(hpa: SeenAutoscaler | undefined, nowMs: number): string | undefined {
  const wrong = hpa?.status?.conditions?.find(
    ({ type, status }) => (type === 'ScalingActive' || type === 'AbleToScale') && status === 'False',
  );
  if (wrong?.lastTransitionTime === undefined) return undefined;
  if (nowMs - new Date(wrong.lastTransitionTime).getTime() < UNMEASURED_PATIENCE_MS) return undefined;
  return `the autoscaler does not follow the load: ${wrong.message ?? wrong.reason}`.slice(0, PROBLEM_MAX_CHARS);
}
