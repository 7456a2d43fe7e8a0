import { type Static, Type } from 'typebox';
import {
  STATUS_CHECKS_MAX,
  STATUS_CONDITIONS_MAX,
  STATUS_MESSAGE_MAX_CHARS,
  STATUS_WORD_MAX_CHARS,
  TIME_MAX_CHARS,
} from './limits.ts';

/**
 * What the operator writes for people and for other programs. It is the one source of the status' types and of its part
 * of the CRD, which drops every field that is not named here.
 */
export const PHASES = [
  'Scheduled',
  'Preheating',
  'Armed',
  'Open',
  'Paused',
  'SoldOut',
  'Recovering',
  'Closing',
  'Settled',
  'Failed',
] as const;

const word = (description: string) => Type.String({ maxLength: STATUS_WORD_MAX_CHARS, description });
const sentence = (description: string) => Type.String({ maxLength: STATUS_MESSAGE_MAX_CHARS, description });
const time = (description: string) => Type.String({ maxLength: TIME_MAX_CHARS, description });
/** Without bounds: a number that cannot be is the very one that people must see. */
const count = (description: string) => Type.Integer({ description });

const conditionSchema = Type.Object(
  {
    type: word('Name of the condition.'),
    status: Type.Enum(['True', 'False', 'Unknown'], { description: 'Whether it holds.' }),
    reason: word('Why, in one word of docs/conditions.md.'),
    message: sentence('Why, in a sentence, with what was seen.'),
    observedGeneration: count('Generation of the spec that was looked at.'),
    lastTransitionTime: time('When status last changed.'),
  },
  { description: 'One condition.' },
);

const checkSchema = Type.Object(
  {
    name: word('Name of the check.'),
    blocking: Type.Boolean({ description: 'Whether the sale is not armed as long as it does not pass.' }),
    passed: Type.Boolean({ description: 'Whether it passes.' }),
    message: sentence('What was seen, and what to do about it.'),
  },
  { description: 'One check.' },
);

const stockSchema = Type.Object(
  {
    total: count('Units on sale.'),
    available: count('Units that nobody has taken.'),
    held: count('Units that buyers hold, on their way to the ledger.'),
    committed: count('Units that have become orders.'),
    sold: count('Units of live orders in the ledger.'),
    drift: count('total − available − held − committed: zero, or something is wrong.'),
  },
  { description: 'The live stock, from preheat on.' },
);

const accuracySchema = Type.Object(
  {
    oversold: count('Units of live orders above the total.'),
    undersold: count('Units left although they were refused to somebody; known once the sale is over.'),
    broken: count('Reservations that a buyer was told of, without an order.'),
    phantom: count('Orders whose reservation Redis does not have.'),
    overLimit: count('Buyers whose live units exceed the limit.'),
    drift: count('Differences between stock, reservations and orders.'),
  },
  { description: 'The six numbers of the audit. All zero is what 100 % accurate means.' },
);

const podsSchema = Type.Object(
  {
    ready: count('Pods that are ready.'),
    wanted: count('Pods that are wanted now.'),
  },
  { description: 'The pods that serve the sale.' },
);

export const statusSchema = Type.Object(
  {
    phase: Type.Enum([...PHASES], { description: 'Where the sale stands. Computed at every look, never read back.' }),
    reason: word('Why it is in this phase, in one word of docs/conditions.md.'),
    message: sentence('The same in a sentence.'),
    observedGeneration: count('Generation of the spec that was looked at.'),
    eventId: Type.Optional(word('NAMESPACE.NAME.EDITION: what ledger and stock call the sale. From preheat on.')),
    edition: Type.Optional(count('Counts the sales of this name.')),
    stockGeneration: Type.Optional(
      count('Generation of the stock: each preheat and each rebuild takes a fresh one. Absent before the preheat.'),
    ),
    startTime: time('When the sale opens, as it was preheated.'),
    endTime: time('When it ends, as the stock has it.'),
    stock: Type.Optional(stockSchema),
    accuracy: Type.Optional(accuracySchema),
    pods: podsSchema,
    conditions: Type.Array(conditionSchema, {
      maxItems: STATUS_CONDITIONS_MAX,
      uniqueBy: 'type',
      description: 'Whether it is well, in the words of docs/conditions.md.',
    }),
    checks: Type.Array(checkSchema, {
      maxItems: STATUS_CHECKS_MAX,
      uniqueBy: 'name',
      description: 'What was asked before the sale was armed, and the answers.',
    }),
  },
  { description: 'What the operator saw and decided. Nobody else writes it.' },
);

export type Phase = (typeof PHASES)[number];
export type Condition = Static<typeof conditionSchema>;
export type CheckReport = Static<typeof checkSchema>;
export type StatusStock = Static<typeof stockSchema>;
export type SeckillEventStatus = Static<typeof statusSchema>;
