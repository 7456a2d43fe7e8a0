import type { Health } from '../kit/health.ts';
import type { RegistryReading } from './registry-view.ts';
import { type SaleStock, stockRefOf } from './sale-stock.ts';

export interface ReadinessOptions {
  stock: Pick<SaleStock, 'snapshot'>;
  health: Health;
}

export interface Readiness {
  /** The connection to Redis is gone. */
  lost(): void;
  judge(reading: RegistryReading | undefined): Promise<void>;
}

/**
 * A pod is ready when Redis answers, the registry was read, and our scripts run in the Redis run that the registry
 * names: a Redis that was restarted answers too, but nothing can be sold there. With no event there is nothing to prove.
 */
export function createReadiness({ stock, health }: ReadinessOptions): Readiness {
  let provenRun: string | undefined;

  function set(reason?: string): void {
    if (reason !== undefined) provenRun = undefined;
    health.setReady('redis', reason === undefined, reason);
  }

  async function prove({ run, entries }: RegistryReading): Promise<string | undefined> {
    if (provenRun === run || entries.size === 0) return undefined;
    for (const entry of entries.values()) {
      const bucket = entry.runs.indexOf(run);
      const ref = bucket < 0 ? undefined : stockRefOf(entry, bucket);
      if (ref === undefined) continue;
      const found = await stock.snapshot(ref).catch(() => ({ status: 'not-ready' as const }));
      if (found.status === 'not-ready') return 'the scripts do not run';
      provenRun = run;
      return undefined;
    }
    return 'the registry names another run of Redis';
  }

  set('the registry was not read yet');
  return {
    lost: () => set('there is no connection'),
    async judge(reading) {
      set(reading === undefined ? 'the registry cannot be read' : await prove(reading));
    },
  };
}
