import assert from 'node:assert/strict';

/** Bounds of what a manifest may ask for. Bounds that other processes share stand in services/domain/limits.ts. */
export const PRICE_MAX_MINOR = 1_000_000_000_000;
export const TEXT_MAX_CHARS = 200;
export const URL_MAX_CHARS = 2_048;
export const STOCK_BUCKETS_MAX = 1_024;
export const LEAD_MAX_SECONDS = 86_400;
export const HOLD_MAX_SECONDS = 86_400;
export const TOKENS_PER_MINUTE_MAX = 10_000;
export const REPLICAS_MAX = 1_000;

/** One file of manifests, and the documents in it. */
export const MANIFEST_FILE_MAX_BYTES = 1_048_576;
export const MANIFEST_FILE_MAX_DOCUMENTS = 200;
/** Values that a message shows are cut here. */
export const SHOWN_VALUE_MAX_CHARS = 60;

/** What a status may hold. Far more than the operator writes: a status that is refused would leave people blind. */
export const STATUS_WORD_MAX_CHARS = 256;
export const STATUS_MESSAGE_MAX_CHARS = 32_768;
export const STATUS_CONDITIONS_MAX = 32;
export const STATUS_CHECKS_MAX = 64;
export const TIME_MAX_CHARS = 40;
/** A text of which only a pattern is said: CEL must know a bound to tell what its rules can cost. */
export const PATTERN_TEXT_MAX_CHARS = 64;

assert(Number.isSafeInteger(PRICE_MAX_MINOR * 1_000), 'an amount of units-per-buyer times price must stay exact');
