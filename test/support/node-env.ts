/**
 * What of our environment goes to the processes that a test starts: where programs are, and where Node keeps what it has
 * compiled. With that a process needs a third less time to start, and all files together start some hundreds.
 */
export const nodeEnv = (): Record<string, string> => {
  const { PATH = '/usr/bin:/bin', NODE_COMPILE_CACHE } = process.env;
  return { PATH, ...(NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }) };
};
