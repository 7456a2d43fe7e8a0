/** Holds on their way from the journals to the ledger; the key of a message is its reservation id. */
export const HOLDS_TOPIC = 'seckill.holds';
/** What could not be read, with its reason in the headers of DEAD_LETTER_HEADERS. */
export const HOLDS_DEAD_TOPIC = 'seckill.holds.dead';
export const HOLDS_PARTITIONS = 12;
export const HOLDS_DEAD_PARTITIONS = 1;

/** The consumers that bring holds into the ledger. */
export const ORDER_GROUP = 'seckill-order';

/** Headers of a dead letter: why it could not be read, and where it stood (a topic with partition and offset, or a journal). */
export const DEAD_LETTER_HEADERS = { reason: 'seckill-reason', source: 'seckill-source' } as const;
