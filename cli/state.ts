import { Option } from 'commander';
import type { Endpoints } from '../operator/platform/host/endpoints.ts';
import { readEndpoints, readEvents } from '../operator/platform/host/state.ts';
import { stateFolder } from '../operator/platform/host/state-folder.ts';
import type { TokenKeys } from '../services/domain/admission-token.ts';
import { SeckillError } from '../services/domain/errors.ts';
import { readTokenKeys } from '../services/kit/token-keys.ts';

export const DEFAULT_STATE_DIR = '.seckill';

export function stateOption(): Option {
  return new Option('--state <dir>', 'folder of the platform, as given to "seckill up"').default(DEFAULT_STATE_DIR);
}

/** The endpoints of the platform of this folder, or an error that says what to do. */
export async function requireEndpoints(stateDir: string): Promise<Endpoints> {
  const endpoints = await readEndpoints(stateDir);
  if (endpoints !== undefined) return endpoints;
  const remedy = 'start one with "seckill up", or name its folder with --state';
  throw new SeckillError('SECKILL_ERR_UNAVAILABLE', `No platform runs on the folder ${stateDir}: ${remedy}.`);
}

export function requireTokenKeys(stateDir: string): TokenKeys {
  return readTokenKeys(stateFolder(stateDir).tokenKeys);
}

/** What the state folder knows of an event that had an edition once: enough for tokens, long after its pods are gone. */
export async function recordedSale(
  stateDir: string,
  event: { namespace: string; name: string },
): Promise<{ eventId: string; endMs: number } | undefined> {
  const found = (await readEvents(stateDir)).find(
    ({ metadata }) => metadata.namespace === event.namespace && metadata.name === event.name,
  );
  const eventId = found?.status?.eventId;
  return found === undefined || eventId === undefined
    ? undefined
    : { eventId, endMs: Date.parse(found.spec.schedule.endTime) };
}
