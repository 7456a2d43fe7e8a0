import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { SeckillError } from '../domain/errors.ts';
import type { Log } from '../kit/log.ts';
import { AGENT_LIMITS } from './limits.ts';

/** What a name server said about a name: addresses, that there are none, or nothing that can be relied on. */
export type LookupOutcome = 'found' | 'empty' | 'failed';

/** The addresses behind names, as they were last known. */
export interface AddressBook {
  /** Looks all of these names up once, and forgets the others. */
  refresh(names: ReadonlySet<string>): Promise<void>;
  /** Empty when the name was never found, or has had no addresses for a while. */
  addressesOf(name: string): readonly string[];
}

export interface AddressBookOptions {
  /** `IP:PORT` of name servers; those of the machine when absent. */
  servers?: readonly string[];
  log: Log;
  onLookup(outcome: LookupOutcome): void;
}

interface Known {
  addresses: string[];
  /** Answers in a row that said "no addresses". */
  empty: number;
  failing: boolean;
}

/**
 * Keeps the last good answer: a name server that is away must not end a sale whose pods are all there. Only several
 * answers in a row that there are no addresses count as good news of that kind: a service whose pods were all replaced
 * must not be asked at addresses that others may have by then.
 */
export function createAddressBook({ servers, log, onLookup }: AddressBookOptions): AddressBook {
  const resolver = new Resolver({ timeout: AGENT_LIMITS.lookupTimeoutMs, tries: AGENT_LIMITS.lookupTriesMax });
  if (servers !== undefined) setServers(resolver, servers);
  const book = new Map<string, Known>();

  async function lookUp(name: string): Promise<void> {
    const known = book.get(name) ?? { addresses: [], empty: 0, failing: false };
    book.set(name, known);
    if (isIP(name) !== 0) {
      known.addresses = [name];
      return;
    }
    const found = await resolve(resolver, name);
    onLookup(found.outcome);
    if (found.outcome === 'failed') {
      if (!known.failing) log.warn({ name, err: found.error }, 'a name cannot be looked up: its former addresses stay');
      known.failing = true;
      return;
    }
    known.failing = false;
    known.empty = found.outcome === 'empty' ? known.empty + 1 : 0;
    if (found.outcome === 'found') known.addresses = found.addresses;
    else if (known.empty >= AGENT_LIMITS.emptyAnswersMax) known.addresses = [];
  }

  return {
    async refresh(names) {
      for (const name of book.keys()) if (!names.has(name)) book.delete(name);
      const waiting = [...names];
      while (waiting.length > 0) await Promise.all(waiting.splice(0, AGENT_LIMITS.lookupsAtOnceMax).map(lookUp));
    },
    addressesOf: (name) => book.get(name)?.addresses ?? [],
  };
}

type Found = { outcome: 'found'; addresses: string[] } | { outcome: 'empty' } | { outcome: 'failed'; error: unknown };

/** Both families at once. That one of them has no addresses is the usual case, and no failure. */
async function resolve(resolver: Resolver, name: string): Promise<Found> {
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (addresses.length > 0) {
    // In an order of their own, so that a name server that shuffles its answers changes no routes.
    return { outcome: 'found', addresses: addresses.sort().slice(0, AGENT_LIMITS.addressesPerNameMax) };
  }
  const failure = answers.find((answer) => answer.status === 'rejected' && !saysNone(answer.reason));
  return failure?.status === 'rejected' ? { outcome: 'failed', error: failure.reason } : { outcome: 'empty' };
}

const saysNone = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOTFOUND' || error.code === 'ENODATA');

function setServers(resolver: Resolver, servers: readonly string[]): void {
  const wrong = (cause: unknown): SeckillError => {
    const sentence = `SECKILL_EDGE_DNS must name servers as IP or IP:PORT, not "${servers.join(',')}".`;
    return new SeckillError('SECKILL_ERR_CONFIG', sentence, { cause });
  };
  try {
    resolver.setServers(servers);
  } catch (error) {
    throw wrong(error);
  }
}
