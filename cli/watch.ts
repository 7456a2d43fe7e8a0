import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';

import { readEndpoints, readEvents } from '../operator/platform/host/state.ts';
import { SeckillError } from '../services/domain/errors.ts';
import { eventKeyOf } from '../services/domain/event.ts';
import { colorsOf } from './colors.ts';
import { eventArgument } from './options.ts';
import { abortOnSignals } from './signals.ts';
import { requireEndpoints, stateOption } from './state.ts';
import { WATCH_INTERVAL_MS } from './watch/limits.ts';
import { type Readings, readReadings } from './watch/readings.ts';
import { lineOf, type Scene, screenOf } from './watch/screen.ts';
import { createTerminal } from './watch/terminal.ts';

const EXAMPLES = `
Shows each second whether the sale will work, works, and was exact. Without an event: all of them. Rates and delays are
Prometheus', of the last ten seconds. Without a terminal it prints a line a second for each event. --once prints the screen
as it is now, for a ticket; --json what is on it, for a script: a line a second, or with --once one alone.

Exit codes: 0 shown, or ended by Ctrl-C, 1 no such event or no platform, 2 wrong options.

Examples:
  $ seckill watch
  $ seckill watch shop/phone-x
  $ seckill watch shop/phone-x --once
  $ seckill watch shop/phone-x > sale.log
  $ seckill watch shop/phone-x --once --json`;

export function watchCommand(): Command {
  return new Command('watch')
    .description('the sale live on one screen, refreshed each second')
    .argument('[event]', 'NAMESPACE/NAME of one event', eventArgument)
    .addOption(stateOption())
    .option('--once', 'print the screen once, and end', false)
    .option('--json', 'print JSON lines { "time", "events": [{ "event", "readings" }] }', false)
    .addHelpText('after', EXAMPLES)
    .action(watch);
}

async function watch(
  event: { namespace: string; name: string } | undefined,
  { state, once, json }: { state: string; once: boolean; json: boolean },
): Promise<void> {
  using stopping = abortOnSignals();
  await requireEndpoints(state);
  if (once) {
    const scenes = await look(state, event);
    if (json) printJson.draw(scenes);
    else process.stdout.write(linesOf(scenes).join('\n'));
    return;
  }
  const show = json ? printJson : process.stdout.isTTY ? screen() : printLines;
  try {
    while (!stopping.signal.aborted) {
      const scenes = await look(state, event);
      // A second that this took is a second less to wait.
      show.draw(scenes);
      const restMs = WATCH_INTERVAL_MS - (Date.now() % WATCH_INTERVAL_MS);
      await delay(restMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  } finally {
    show.end();
  }
}

interface Show {
  draw(scenes: readonly Scene[]): void;
  end(): void;
}

const printLines: Show = {
  draw: (scenes) => {
    for (const scene of scenes) process.stdout.write(`${lineOf(scene)}\n`);
  },
  end: () => undefined,
};

const printJson: Show = {
  draw: (scenes) => {
    const events = scenes.map(({ event, readings }) => ({ event, readings: readings ?? null }));
    process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), events })}\n`);
  },
  end: () => undefined,
};

function screen(): Show {
  const terminal = createTerminal(process.stdout);
  return { draw: (scenes) => terminal.draw(linesOf(scenes)), end: terminal.end };
}

/** The whole screen. */
function linesOf(scenes: readonly Scene[]): string[] {
  const now = `${new Date().toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  const events = scenes.length === 0 ? ['There is no event yet.', ''] : [];
  const colors = colorsOf(process.stdout);
  return [now, '', ...events, ...scenes.flatMap((scene) => [...screenOf(scene, colors), ''])];
}

async function look(stateDir: string, event: { namespace: string; name: string } | undefined): Promise<Scene[]> {
  const events = (await readEvents(stateDir)).filter(
    ({ metadata }) => event === undefined || eventKeyOf(metadata) === eventKeyOf(event),
  );
  if (event !== undefined && events.length === 0) {
    throw new SeckillError(
      'SECKILL_ERR_EVENT_UNKNOWN',
      `There is no event ${eventKeyOf(event)} in the folder ${stateDir}.`,
    );
  }
  const prometheus = (await readEndpoints(stateDir))?.prometheus;
  return Promise.all(
    events.map(async (one): Promise<Scene> => {
      const readings = await readingsOf(prometheus, eventKeyOf(one.metadata));
      return { event: one, readings, nowMs: Date.now() };
    }),
  );
}

async function readingsOf(prometheus: string | undefined, key: string): Promise<Readings | undefined> {
  if (prometheus === undefined) return undefined;
  return readReadings(prometheus, key).catch(() => undefined);
}
