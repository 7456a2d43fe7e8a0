/** What went wrong, in words, with the cause where the error names one. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? wordsOf(error.cause) : '';
  return cause === '' ? wordsOf(error) : `${wordsOf(error)} (${cause})`;
}

/** A connection that failed at each address of a name has no message of its own, but a code. */
function wordsOf(error: Error): string {
  if (error.message !== '') return error.message;
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}
