const SETUP_ERROR_CODE = 'SECKILL_ERR_SETUP';

/** An error whose message is a sentence for the user, with the remedy in it: shown without a stack. */
export const setupError = (sentence: string, cause?: unknown): Error =>
  Object.assign(new Error(sentence, cause === undefined ? {} : { cause }), { code: SETUP_ERROR_CODE });

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
