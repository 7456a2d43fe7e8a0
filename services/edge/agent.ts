import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../kit/log.ts';
import type { AddressBook } from './address-book.ts';
import { AGENT_LIMITS } from './limits.ts';
import { askForTable, parseTable, type RouteTable } from './route-table.ts';
import { replaceFile, routesText, splitTarget } from './routes-file.ts';

/** Follows the operator's table and the addresses behind it, and writes what nginx follows. */
export interface Agent {
  /** Whether it knows which events there are: from the operator, or from its own last copy. */
  informed(): boolean;
  /** Since the operator last answered; `undefined` when it never did. */
  tableAgeSeconds(): number | undefined;
  /** Addresses that requests can be brought to. */
  peers(): number;
  /** Tells nginx that every answer must end its connection. */
  leave(): Promise<void>;
  stop(): Promise<void>;
}

export interface AgentOptions {
  tableUrl: string;
  orders: string;
  /** Holds `routes.json` for nginx and `table.json`, the last copy of the table. */
  dir: string;
  book: AddressBook;
  log: Log;
}

/** Resolves when the copy of an earlier life was read and the first routes are written. */
export async function startAgent({ tableUrl, orders, dir, book, log }: AgentOptions): Promise<Agent> {
  const copy = join(dir, 'table.json');
  const stopping = new AbortController();
  let table: RouteTable | undefined;
  let copied = '';
  let askedAtMs: number | undefined;
  let written = '';
  let leaving = false;
  let failing = false;
  let writing: Promise<void> = Promise.resolve();

  try {
    table = parseTable(await readFile(copy, 'utf8'));
    log.info({ events: Object.keys(table).length }, 'routes of an earlier life were found');
  } catch {
    // There is none, or it is of no use: the operator will tell.
  }

  const write = (): Promise<void> => {
    writing = writing
      .then(async () => {
        const text = routesText({ table, orders, addressesOf: book.addressesOf, leaving });
        if (text === written) return;
        await replaceFile(join(dir, 'routes.json'), text);
        written = text;
      })
      .catch((error: unknown) => log.error({ err: error }, 'the routes could not be written'));
    return writing;
  };

  const follow = async (): Promise<void> => {
    try {
      const answer = await askForTable(tableUrl);
      if (failing) log.info('the operator tells its routes again');
      failing = false;
      table = answer.table;
      askedAtMs = performance.now();
      if (answer.text !== copied) await keep(answer.text);
    } catch (error) {
      if (!failing) log.warn({ err: error }, 'the operator does not tell its routes: the last ones stay');
      failing = true;
    }
  };

  const keep = async (text: string): Promise<void> => {
    try {
      await replaceFile(copy, text);
      copied = text;
    } catch (error) {
      log.error({ err: error }, 'the copy of the routes could not be written');
    }
  };

  const resolve = async (): Promise<void> => {
    const targets = [orders, ...Object.values(table ?? {})];
    await book.refresh(new Set(targets.map((target) => splitTarget(target).host)));
    await write();
  };

  const { signal } = stopping;
  await write();
  const running = Promise.all([
    repeat(follow, AGENT_LIMITS.tablePollMs, signal),
    repeat(resolve, AGENT_LIMITS.resolveEveryMs, signal),
  ]);

  return {
    informed: () => table !== undefined,
    tableAgeSeconds: () => (askedAtMs === undefined ? undefined : (performance.now() - askedAtMs) / 1_000),
    peers: () => Object.values(table ?? {}).flatMap((target) => book.addressesOf(splitTarget(target).host)).length,
    leave() {
      leaving = true;
      return write();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** The next round begins this long after the last one began, or at once when that took longer. */
async function repeat(round: () => Promise<void>, everyMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const startedAtMs = performance.now();
    await round();
    const restMs = Math.max(0, everyMs - (performance.now() - startedAtMs));
    await delay(restMs, undefined, { signal }).catch(() => {});
  }
}
