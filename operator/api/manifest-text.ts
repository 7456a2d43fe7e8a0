import { type Document, parseAllDocuments } from 'yaml';
import { checkManifest } from './check-manifest.ts';
import { MANIFEST_FILE_MAX_BYTES, MANIFEST_FILE_MAX_DOCUMENTS } from './limits.ts';
import type { Manifest } from './seckill-event.ts';
import type { Problem } from './structure.ts';

export interface ManifestProblem extends Problem {
  /** Which document of the file, counted from 1. */
  document: number;
}

/**
 * Reads a file of YAML documents. Valid events come back even when another document of the file is broken: one shop's
 * mistake must not keep another's sale from opening.
 */
export function parseManifests(text: string): {
  events: Manifest[];
  /** Of each event, which document of the file it is. */
  documents: number[];
  problems: ManifestProblem[];
} {
  if (Buffer.byteLength(text) > MANIFEST_FILE_MAX_BYTES) {
    return {
      events: [],
      documents: [],
      problems: [fileProblem(`the file must be at most ${MANIFEST_FILE_MAX_BYTES} bytes`)],
    };
  }
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return { events: [], documents: [], problems: [] };
  if (documents.length > MANIFEST_FILE_MAX_DOCUMENTS) {
    return {
      events: [],
      documents: [],
      problems: [fileProblem(`a file must hold at most ${MANIFEST_FILE_MAX_DOCUMENTS} documents`)],
    };
  }
  const events: Manifest[] = [];
  const numbers: number[] = [];
  const problems: ManifestProblem[] = [];
  for (const [index, document] of documents.entries()) {
    const number = index + 1;
    const read = readValue(document);
    if (!read.ok) {
      problems.push({ document: number, field: '', message: `the document is not YAML: ${read.reason}` });
      continue;
    }
    // An empty document is what a trailing `---` leaves behind.
    if (read.value === null || read.value === undefined) continue;
    const checked = checkManifest(read.value);
    if (!checked.ok) {
      problems.push(...checked.problems.map((problem) => ({ ...problem, document: number })));
    } else if (events.some((other) => sameName(other, checked.event))) {
      const { namespace, name } = checked.event.metadata;
      const message = `metadata.name ${namespace}/${name} is used by another document of this file`;
      problems.push({ document: number, field: 'metadata.name', message });
    } else {
      events.push(checked.event);
      numbers.push(number);
    }
  }
  return { events, documents: numbers, problems };
}

function readValue(document: Document.Parsed): { ok: true; value: unknown } | { ok: false; reason: string } {
  const [error] = document.errors;
  if (error !== undefined) return { ok: false, reason: firstLine(error.message) };
  try {
    return { ok: true, value: document.toJS() };
  } catch (error) {
    // Aliases that would grow without end.
    return { ok: false, reason: error instanceof Error ? firstLine(error.message) : 'unreadable' };
  }
}

const firstLine = (text: string): string => text.split('\n')[0] ?? text;

function sameName({ metadata: a }: Manifest, { metadata: b }: Manifest): boolean {
  return a.name === b.name && a.namespace === b.namespace;
}

const fileProblem = (message: string): ManifestProblem => ({ document: 0, field: '', message });
