import { createConnection } from 'mysql2/promise';
import type { ClusterPlace } from '../../tools/cluster/place.ts';
import type { ServerOptions } from '../../tools/servers/options.ts';
import { type Tools, until, type Watch } from './commands.ts';
import type { Connections } from './connections.ts';
import { SETTLED_TIMEOUT_MS } from './limits.ts';
import type { Servers } from './platform.ts';
import type { Steps } from './steps.ts';

/** What the steps share. What one step makes another uses; after a failure the others are skipped, so it is there. */
export interface Run {
  readonly options: ServerOptions;
  readonly place: ClusterPlace;
  readonly steps: Steps;
  readonly watches: Map<string, Watch>;
  connections(): Connections;
  tools(): Tools;
  servers(): Servers;
}

export interface EventRef {
  namespace: string;
  name: string;
}

export const expectThat = (holds: boolean, otherwise: string): void => {
  if (!holds) throw new Error(otherwise);
};

export interface Status {
  phase?: string;
  accuracy?: Record<string, number>;
}

export const readStatus = async (tools: Tools, { namespace, name }: EventRef): Promise<Status> => {
  const json = await tools.kubectl('-n', namespace, 'get', 'ske', name, '-o', 'json');
  return (JSON.parse(json) as { status?: Status }).status ?? {};
};

const NUMBERS = ['oversold', 'undersold', 'broken', 'phantom', 'overLimit', 'drift'];

/** Waits for the end of the sale; answers the six numbers as they stand in the status, which must be zero. */
export const settledExactly = async (tools: Tools, event: EventRef): Promise<string> => {
  await until('the sale is settled', SETTLED_TIMEOUT_MS, async () => {
    const { phase = '' } = await readStatus(tools, event);
    return { holds: phase === 'Settled', seen: `phase ${phase}` };
  });
  const { accuracy = {} } = await readStatus(tools, event);
  expectThat(
    NUMBERS.every((number) => accuracy[number] === 0),
    `accuracy: ${JSON.stringify(accuracy)}`,
  );
  return JSON.stringify(accuracy);
};

/** How many units of an event wait for payment in the database, which this machine reaches by the cluster's link. */
export const unitsOrdered = async (url: string, { namespace, name }: EventRef): Promise<number> => {
  const connection = await createConnection({ uri: url, decimalNumbers: true });
  try {
    const [rows] = await connection.query(
      "SELECT COALESCE(SUM(units), 0) AS units FROM orders WHERE state = 'PENDING_PAYMENT' AND event_id LIKE ?",
      [`${namespace}.${name}.%`],
    );
    return (rows as { units: number }[])[0]?.units ?? 0;
  } finally {
    await connection.end();
  }
};
