import { randomBytes } from 'node:crypto';

/** A name for a sale that no other test uses: a DNS label. */
export const randomEventName = (prefix = 'sale'): string => `${prefix}-${randomBytes(5).toString('hex')}`;
