/** What a terminal tells of itself, and takes. */
export type Screen = Pick<NodeJS.WriteStream, 'columns' | 'rows'> & { write(text: string): unknown };

/** A whole screen that is drawn again and again in the same place. */
export interface Terminal {
  draw(lines: readonly string[]): void;
  /** Gives the cursor back. */
  end(): void;
}

/**
 * Draws over what was there, line by line, so that nothing flickers. What does not fit is cut: a line that wraps takes two
 * rows, and the last ones then scroll the first ones away, each second anew.
 */
export function createTerminal(screen: Screen): Terminal {
  screen.write('\x1b[?25l\x1b[2J');
  return {
    draw: (lines) => {
      const shown = lines.slice(0, screen.rows - 1).map((line) => cutLine(line, screen.columns));
      screen.write(`\x1b[H${shown.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`);
    },
    end: () => void screen.write('\x1b[?25h\n'),
  };
}

/** Colors take no room: all of them are kept, also those behind the cut, so that each one that began ends. */
function cutLine(line: string, columns: number): string {
  let room = columns;
  const keep = (text: string): string => {
    const kept = [...text].slice(0, room);
    room -= kept.length;
    return kept.join('');
  };
  const [plain = '', ...colored] = line.split('\x1b[');
  const rest = colored.map((part) => {
    const end = part.indexOf('m') + 1;
    return `\x1b[${part.slice(0, end)}${keep(part.slice(end))}`;
  });
  return `${keep(plain)}${rest.join('')}`;
}
