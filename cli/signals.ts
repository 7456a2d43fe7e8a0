const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * A signal that is aborted by Ctrl-C, by the SIGTERM of a supervisor, by a terminal that is closed, and by a reader of our
 * output who leaves, as `head` does: whatever a command started is stopped in order then. All are ours until it is disposed of.
 */
export function abortOnSignals(): { signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const streams = [process.stdout, process.stderr];
  for (const name of SIGNALS) process.on(name, abort);
  for (const stream of streams) stream.on('error', abort);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const name of SIGNALS) process.off(name, abort);
      for (const stream of streams) stream.off('error', abort);
    },
  };
}

/** What a stream says when nobody reads it any more: a pipe whose other end is closed, a terminal that is gone. */
const NOBODY_READS = new Set(['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED']);

/** A command ends with its own exit code when nobody reads its output: what it did is done. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (!NOBODY_READS.has(error.code ?? '')) throw error;
    });
  }
}

export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}
