import type { ProcessRecord } from './process-record.ts';

/** `DIR/endpoints.json`: what other programs need to talk to a running platform. Kept stable. */
export interface Endpoints {
  /** Base URL that buyers use. */
  sale: string;
  redis: string;
  mysql: string;
  kafka: string[];
  /** Absent where there is none. */
  prometheus?: string;
  processes: { role: string; pid: number; url: string }[];
}

export function endpointsOf(servers: Omit<Endpoints, 'processes'>, records: readonly ProcessRecord[]): Endpoints {
  const processes = records.flatMap(({ role, identity, url, state }) =>
    identity === undefined || state === 'stopped' ? [] : [{ role, pid: identity.pid, url }],
  );
  return { ...servers, processes };
}
