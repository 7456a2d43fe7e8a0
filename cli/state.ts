import { existsSync, readFileSync } from 'node:fs';
import { Option } from 'commander';
import type { Endpoints } from '../operator/platform/host/endpoints.ts';
import { readEndpoints, readEvents } from '../operator/platform/host/state.ts';
import { stateFolder } from '../operator/platform/host/state-folder.ts';
import type { TokenKeys } from '../services/domain/admission-token.ts';
import { SeckillError } from '../services/domain/errors.ts';
import { eventKeyOf } from '../services/domain/event.ts';
import { parseTokenKeys } from '../services/kit/token-keys.ts';

export const DEFAULT_STATE_DIR = '.seckill';

export function stateOption(): Option {
  return new Option('--state <dir>', 'folder of the platform, as given to "seckill up"').default(DEFAULT_STATE_DIR);
}

/** The endpoints of the platform of this folder, or an error that says what to do. */
export async function requireEndpoints(stateDir: string): Promise<Endpoints> {
  const endpoints = await readEndpoints(stateDir);
  if (endpoints !== undefined) return endpoints;
  throw new SeckillError('SECKILL_ERR_UNAVAILABLE', noPlatform(stateDir));
}

export function noPlatform(stateDir: string): string {
  return `No platform runs on the folder ${stateDir}: start one with "seckill up", or name its folder with --state.`;
}

/** The keys of the platform of this folder, which may have been stopped. */
export function requireTokenKeys(stateDir: string): TokenKeys {
  const file = stateFolder(stateDir).tokenKeys;
  if (existsSync(file)) return parseTokenKeys(readFileSync(file, 'utf8'), file);
  const remedy = 'name the folder of the platform that sells with --state';
  throw new SeckillError('SECKILL_ERR_UNAVAILABLE', `There are no token keys in the folder ${stateDir}: ${remedy}.`);
}

/** What the state folder knows of an event that had an edition once: enough for tokens, long after its pods are gone. */
export async function recordedSale(
  stateDir: string,
  event: { namespace: string; name: string },
): Promise<{ eventId: string; endMs: number } | undefined> {
  const found = (await readEvents(stateDir)).find(({ metadata }) => eventKeyOf(metadata) === eventKeyOf(event));
  const eventId = found?.status?.eventId;
  return found === undefined || eventId === undefined
    ? undefined
    : { eventId, endMs: Date.parse(found.spec.schedule.endTime) };
}
