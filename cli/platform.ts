import { createLedger, type Ledger } from '../ledger/ledger.ts';
import { connectRedis } from '../lua/connection.ts';
import { createJournal, type Journal } from '../lua/journal.ts';
import { createStock, type Stock } from '../lua/stock.ts';
import type { Endpoints } from '../operator/platform/host/endpoints.ts';
import { createKafka } from '../services/kit/kafka/kafka.ts';
import type { Admin } from '../services/kit/kafka/port.ts';
import { createLog } from '../services/kit/log.ts';
import type { ServerSettings } from './environment.ts';
import { ANSWER_MAX_MS } from './limits.ts';

/** The platform's servers, seen through the modules that own what is in them. */
export interface Platform {
  stock: Stock;
  journal: Journal;
  ledger: Ledger;
  kafka: Admin;
  close(): Promise<void>;
}

/** Connects to the servers of `endpoints.json`. */
export function openPlatform({ redis, mysql, kafka }: Endpoints): Promise<Platform> {
  return openServers({ redis: { url: redis }, mysql: { url: mysql }, kafka: { brokers: kafka } });
}

/** Connects to the servers. Their logs are silent: a command speaks by its result or its error. */
export async function openServers({ redis, mysql, kafka: brokers }: ServerSettings): Promise<Platform> {
  const log = createLog({ role: 'cli', instance: `cli-${process.pid}`, level: 'silent' });
  const link = connectRedis({ ...redis, log, name: 'seckill-cli', commandTimeoutMs: ANSWER_MAX_MS });
  const ledger = createLedger({ ...mysql, log, poolMax: 2 });
  const kafka = createKafka({ ...brokers, clientId: 'seckill-cli', log }).admin();
  const close = async (): Promise<void> => {
    await Promise.all([link.close(), ledger.close(), kafka.close()]);
  };
  try {
    await link.ready(AbortSignal.timeout(ANSWER_MAX_MS));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    stock: createStock({ link }),
    journal: createJournal({ link }),
    ledger,
    kafka,
    close,
  };
}
