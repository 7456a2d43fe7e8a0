import { inject } from 'vitest';
import type { SharedServers } from './global-setup.ts';

/** Asks the run for a server that all test files share; the first to ask waits until it has started. */
export const askForServer = async <Path extends keyof SharedServers>(path: Path): Promise<SharedServers[Path]> => {
  const response = await fetch(`${inject('sharedServersUrl')}${path}`);
  const body = await response.text();
  if (!response.ok) throw new Error(body);
  return JSON.parse(body) as SharedServers[Path];
};
