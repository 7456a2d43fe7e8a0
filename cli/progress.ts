import { type Options, Presets, SingleBar } from 'cli-progress';
import { PROGRESS_LINE_EVERY_MS } from './limits.ts';

/** Where a command says what it is doing. It is stderr, so that stdout holds the result alone. */
export interface Display {
  /** One line. */
  line(text: string): void;
  /** Something that fills up while the work lasts; one at a time. Its last state is left on screen, however the work ends. */
  bar<T>(label: string, total: number, work: (update: UpdateBar) => Promise<T>): Promise<T>;
}

export type UpdateBar = (value: number, note?: string) => void;

interface Bar {
  update: UpdateBar;
  end(): void;
}

export interface DisplayOptions {
  stream: NodeJS.WriteStream;
  /** Says nothing at all. */
  quiet?: boolean;
}

/** Bars on a terminal; elsewhere a plain line now and then, which a log can keep. */
export function createDisplay({ stream, quiet = false }: DisplayOptions): Display {
  if (quiet) return { line: () => undefined, bar: (_label, _total, work) => work(() => undefined) };
  let drawn = false;
  const line = (text: string): void => {
    stream.write(drawn ? `${CLEAR_LINE}${text}\n${SAVE_CURSOR}` : `${text}\n`);
  };
  return {
    line,
    async bar(label, total, work) {
      drawn = stream.isTTY;
      const bar = drawn ? drawnBar(stream, label, total) : spokenBar(line, label, total);
      try {
        return await work(bar.update);
      } finally {
        bar.end();
        drawn = false;
      }
    },
  };
}

/** A line takes the place of the bar, which is drawn again below it, and ends there: at its end it goes where it was saved. */
const CLEAR_LINE = '\r\x1b[K';
const SAVE_CURSOR = '\x1b7';

function drawnBar(stream: NodeJS.WriteStream, label: string, total: number): Bar {
  const options: Options = {
    stream,
    format: `${label} {bar} {value}/{total} {note}`,
    hideCursor: false,
    clearOnComplete: false,
    autopadding: true,
    // Also when nothing changed since a line took its place.
    forceRedraw: true,
  };
  const bar = new SingleBar(options, Presets.shades_classic);
  bar.start(total, 0, { note: '' });
  return {
    update: (value, note = '') => bar.update(value, { note }),
    end: () => bar.stop(),
  };
}

function spokenBar(line: (text: string) => void, label: string, total: number): Bar {
  let spokenMs = Date.now();
  let spoken = '';
  let last = '';
  const speak = (): void => {
    if (last === spoken) return;
    spoken = last;
    spokenMs = Date.now();
    line(last);
  };
  return {
    update: (value, note = '') => {
      last = `${label} ${value}/${total}${note === '' ? '' : ` ${note}`}`;
      if (Date.now() - spokenMs >= PROGRESS_LINE_EVERY_MS) speak();
    },
    end: speak,
  };
}
