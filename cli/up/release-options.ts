import type { ServerOptions } from '../../tools/servers/options.ts';
import type { Environment } from './services.ts';

/** What the user named by the environment, and where to look; only main.ts reads it. */
export type FindServers = (report: (line: string) => void) => ServerOptions;

export interface ReleaseOptions {
  stateDir: string;
  /** Files and folders of manifests; more can be added later. */
  manifests: readonly string[];
  operators: number;
  relays: number;
  orders: number;
  /** Where the sale is served; a free port when absent and 8080 is taken. */
  port?: number;
  log(line: string): void;
  signal: AbortSignal;
  /** Where servers come from; `report` is told of what takes time. */
  servers: FindServers;
  /** Whether a Prometheus watches it all; tests seldom need one. */
  prometheus?: boolean;
  environment?: Environment;
  logLevel?: string;
  replicationFactor?: number;
}
