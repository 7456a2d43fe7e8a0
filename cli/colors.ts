import pc from 'picocolors';
import type { Colors } from 'picocolors/types.js';

/** Colours for a terminal. The library by itself would colour also what a pipe or a file gets, wherever `CI` is set. */
export function colorsOf(stream: { isTTY?: boolean }): Colors {
  return pc.createColors(stream.isTTY === true && pc.isColorSupported);
}
