import { type Options, Presets, SingleBar } from 'cli-progress';
import { PROGRESS_LINE_EVERY_MS } from './limits.ts';

/** Where a command says what it is doing. It is stderr, so that stdout holds the result alone. */
export interface Display {
  /** One line. */
  line(text: string): void;
  /** Something that fills up; one at a time. */
  bar(label: string, total: number): Bar;
}

export interface Bar {
  update(value: number, note?: string): void;
  /** Leaves the last state on screen. */
  end(): void;
}

export interface DisplayOptions {
  stream: NodeJS.WriteStream;
  /** Says nothing at all. */
  quiet?: boolean;
}

/** Bars on a terminal; elsewhere a plain line now and then, which a log can keep. */
export function createDisplay({ stream, quiet = false }: DisplayOptions): Display {
  if (quiet) return { line: () => undefined, bar: () => ({ update: () => undefined, end: () => undefined }) };
  const line = (text: string): void => {
    stream.write(`${text}\n`);
  };
  return {
    line,
    bar: (label, total) => (stream.isTTY ? drawnBar(stream, label, total) : spokenBar(line, label, total)),
  };
}

function drawnBar(stream: NodeJS.WriteStream, label: string, total: number): Bar {
  const options: Options = {
    stream,
    format: `${label} {bar} {value}/{total} {note}`,
    hideCursor: false,
    clearOnComplete: false,
    autopadding: true,
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
