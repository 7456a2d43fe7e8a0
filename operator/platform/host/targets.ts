import type { ProcessRecord } from './process-record.ts';

/** What Prometheus is told to read, as its file_sd has it. */
export interface Target {
  targets: string[];
  labels: Record<string, string>;
}

const ROLES: readonly string[] = ['operator', 'relay', 'order', 'seckill'];

/** Every process of ours that lives, ready or not: one that does not get ready is worth a look. */
export function targetsOf(records: readonly ProcessRecord[]): Target[] {
  const alive = records.filter(
    ({ role, state }) => ROLES.includes(role) && (state === 'starting' || state === 'running'),
  );
  return alive.map(({ instance, port }) => target(instance, port));
}

/** On one machine a process is called by its name, which says more than its port. */
export function target(instance: string, port: number): Target {
  return { targets: [`127.0.0.1:${port}`], labels: { instance } };
}
