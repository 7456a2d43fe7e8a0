import { type FSWatcher, watch } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { eventKeyOf } from '../../../services/domain/event.ts';
import type { Clock } from '../../../services/kit/clock.ts';
import type { Log } from '../../../services/kit/log.ts';
import { type ManifestProblem, parseManifests } from '../../api/manifest-text.ts';
import { MANIFEST_FILES_MAX, MANIFEST_POLL_MS } from './limits.ts';
import type { Applied, ObjectStore } from './object-store.ts';
import { isMissing } from './versioned-record.ts';

export interface ManifestReport {
  file: string;
  /** Events of this file that are in the store now, `namespace/name`, and what became of each. */
  applied: { key: string; outcome: Applied['outcome'] }[];
  /** Documents that are left out, and why. The events that they told of before go on as they were. */
  problems: ManifestProblem[];
}

export interface ManifestFiles {
  /** Reads all files once more; reports only of files that changed since. */
  refresh(): Promise<ManifestReport[]>;
  add(path: string): void;
  stop(): Promise<void>;
}

/**
 * Brings manifests from files and folders into the object store, now and whenever they change. A broken file changes
 * nothing, and a file that vanished deletes nothing: a slip of the hand must not end a sale.
 */
export function createManifestFiles(options: {
  paths: readonly string[];
  store: ObjectStore;
  clock: Clock;
  log: Log;
  onReport(report: ManifestReport): void;
}): ManifestFiles {
  const { store, clock, log, onReport } = options;
  const paths = new Set(options.paths);
  const texts = new Map<string, string>();
  /** What was said at the last reading of those that are not read. */
  const unread = new Map<string, string>();
  const watchers = new Map<string, FSWatcher>();
  let working: Promise<ManifestReport[]> = Promise.resolve([]);
  let soon: NodeJS.Timeout | undefined;

  async function readAll(): Promise<ManifestReport[]> {
    const reports: ManifestReport[] = [];
    const saidBefore = new Map(unread);
    unread.clear();
    for await (const reading of readingsOf([...paths])) {
      const { file } = reading;
      if ('unread' in reading) {
        unread.set(file, reading.unread);
        if (saidBefore.get(file) === reading.unread) continue;
        reports.push({ file, applied: [], problems: [{ document: 0, field: '', message: reading.unread }] });
        continue;
      }
      const { text } = reading;
      if (texts.get(file) === text) continue;
      const { events, documents, problems } = parseManifests(text);
      const applied: ManifestReport['applied'] = [];
      for (const [index, event] of events.entries()) {
        const key = eventKeyOf(event.metadata);
        const answer = await store.apply(event, clock.nowMs());
        applied.push({ key, outcome: answer.outcome });
        if (answer.outcome !== 'refused') continue;
        problems.push(...answer.problems.map((problem) => ({ ...problem, document: documents[index] ?? 0 })));
      }
      // An object on its way out takes nothing: the file is read again until its successor can be made.
      if (applied.every(({ outcome }) => outcome !== 'deleting')) texts.set(file, text);
      reports.push({ file, applied, problems });
    }
    for (const path of paths) follow(path);
    return reports;
  }

  function refresh(): Promise<ManifestReport[]> {
    working = working.catch(() => []).then(readAll);
    return working;
  }

  const lastTold = new Map<string, string>();
  function look(): void {
    void refresh().then(
      (reports) => {
        for (const report of reports) {
          const told = JSON.stringify(report);
          if (lastTold.get(report.file) === told) continue;
          lastTold.set(report.file, told);
          onReport(report);
        }
      },
      (error: unknown) => log.error({ err: error }, 'manifests could not be read'),
    );
  }

  /** The kernel's word is faster than the next poll; where it says nothing, the poll is enough. */
  function follow(path: string): void {
    if (watchers.has(path)) return;
    try {
      const watcher = watch(path, () => {
        clearTimeout(soon);
        soon = setTimeout(look, 50);
      });
      const drop = () => {
        watcher.close();
        watchers.delete(path);
      };
      // An editor that replaces the file leaves the watcher on the old one: look again by name at the next poll.
      watcher.on('error', drop).on('change', (kind) => kind === 'rename' && drop());
      watchers.set(path, watcher);
    } catch (error) {
      if (!isMissing(error)) log.debug({ err: error, path }, 'manifests are polled, not watched');
    }
  }

  const timer = setInterval(look, MANIFEST_POLL_MS);
  for (const path of paths) follow(path);
  return {
    refresh,
    add(path) {
      paths.add(path);
      look();
    },
    async stop() {
      clearInterval(timer);
      clearTimeout(soon);
      for (const watcher of watchers.values()) watcher.close();
      await working.catch(() => []);
    },
  };
}

/** A file with its text, or a file or folder with the reason why nothing of it is applied. */
type Reading = { file: string; text: string } | { file: string; unread: string };

/** Of all files, in order, at most MANIFEST_FILES_MAX. Missing ones are left out. */
async function* readingsOf(paths: readonly string[]): AsyncGenerator<Reading> {
  let room = MANIFEST_FILES_MAX;
  for (const path of paths) {
    const files = await filesOf(path).catch((error: unknown) => unreadable(path, error));
    if (files === undefined) continue;
    if (!Array.isArray(files)) {
      yield files;
      continue;
    }
    const read = files.slice(0, room);
    room -= read.length;
    for (const file of read) {
      const reading = await readFile(file, 'utf8').then(
        (text): Reading => ({ file, text }),
        (error: unknown) => unreadable(file, error),
      );
      if (reading !== undefined) yield reading;
    }
    const left = files.length - read.length;
    if (left === 0) continue;
    const from = files[read.length];
    yield { file: path, unread: `${left} files are left out, from ${from} on: ${MANIFEST_FILES_MAX} are read at most` };
  }
}

/** A file that is named, or `*.yaml`, `*.yml`, `*.json` of a folder that is named. */
async function filesOf(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = (await readdir(path)).filter((name) => ['.yaml', '.yml', '.json'].includes(extname(name)));
  return names.sort().map((name) => join(path, name));
}

function unreadable(file: string, error: unknown): Reading | undefined {
  if (isMissing(error)) return undefined;
  return { file, unread: `it cannot be read: ${error instanceof Error ? error.message : String(error)}` };
}
