import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../../../cli/up/services.ts';
import { FAULT_POINTS, type FaultPoint } from '../../../services/kit/fault-points.ts';
import { eventually } from '../../support/eventually.ts';

/** All points of a role, or of one of its steps, in the order of the list. */
export function pointsOf(prefix: string): FaultPoint[] {
  return FAULT_POINTS.filter((point) => point.startsWith(`${prefix}.`));
}

/**
 * Where processes die. A role is given points; each process of it that starts dies at the next of them that none died
 * at yet, and once at most: the marker says so. Processes that start when all were reached live on.
 */
export interface Faults {
  /** For `startRelease`: asked at each start of a process. */
  environment: Environment;
  /** From now on processes of the role die at these points, wherever others died before. */
  plan(role: 'relay' | 'order', points: readonly FaultPoint[]): void;
  /** For a process that shall die at this point, wherever others died before. */
  environmentOf(point: FaultPoint): Record<string, string>;
  reached(point: FaultPoint): boolean;
  /** Provokes until a process died at every one of the points. */
  untilReached(
    points: readonly FaultPoint[],
    provoke: (missing: readonly FaultPoint[]) => unknown,
    deadlineMs: number,
  ): Promise<void>;
}

/** How long one provocation is given before it is repeated. */
const PROVOKE_EVERY_MS = 400;

export function createFaults(dir: string, always: Environment = {}): Faults {
  const markers = join(dir, 'markers');
  mkdirSync(markers, { recursive: true });
  const markerOf = (point: FaultPoint): string => join(markers, point);
  const reached = (point: FaultPoint): boolean => existsSync(markerOf(point));
  const forget = (point: FaultPoint): void => rmSync(markerOf(point), { force: true });
  const variablesOf = (point: FaultPoint) => ({ SECKILL_FAULT: point, SECKILL_FAULT_MARKER: markerOf(point) });
  const planned: Record<'relay' | 'order', FaultPoint[]> = { relay: [], order: [] };

  /** Points go round: a process that was ended otherwise leaves its point to a later one. */
  function next(role: 'relay' | 'order'): Record<string, string> {
    planned[role] = planned[role].filter((point) => !reached(point));
    const [point, ...rest] = planned[role];
    if (point === undefined) return {};
    planned[role] = [...rest, point];
    return variablesOf(point);
  }

  return {
    environment: {
      ...always,
      get relay() {
        return { ...always.relay, ...next('relay') };
      },
      get order() {
        return { ...always.order, ...next('order') };
      },
    },
    plan(role, points) {
      for (const point of points) forget(point);
      planned[role] = [...points];
    },
    environmentOf(point) {
      forget(point);
      return variablesOf(point);
    },
    reached,
    async untilReached(points, provoke, deadlineMs) {
      let missing: readonly FaultPoint[] = points;
      let provokedAtMs = Number.NEGATIVE_INFINITY;
      await eventually(
        async () => {
          missing = points.filter((point) => !reached(point));
          if (missing.length === 0) return;
          if (performance.now() - provokedAtMs > PROVOKE_EVERY_MS) {
            provokedAtMs = performance.now();
            await provoke(missing);
          }
          throw new Error(`no process came by ${missing.join(', ')}`);
        },
        { deadlineMs, intervalMs: 20 },
      );
    },
  };
}
