import type { Endpoints } from '../../../operator/platform/host/endpoints.ts';

export type Role = 'operator' | 'relay' | 'order' | 'seckill' | 'edge';

export function roleProcesses({ processes }: Endpoints, role: Role): number[] {
  return processes.filter((one) => one.role === role).map(({ pid }) => pid);
}
