import { productSchema, type SeckillEvent, type SeckillEventSpec } from './seckill-event.ts';
import type { Sentence } from './sentence.ts';
import type { Phase } from './status.ts';

/**
 * One rule on what may change once a sale has begun. Like the rules on a manifest it is written twice. It never looks at
 * anything but the spec and the former status, so that it cannot stand in the way of a status or of a finalizer.
 */
export interface ChangeCheck {
  name: string;
  /** Whom the sentence blames, below `spec`. */
  field: string;
  holds(before: SeckillEvent, after: SeckillEventSpec): boolean;
  /** The same in CEL, where `self` and `oldSelf` are the objects, and `oldSelf.status` is there. */
  cel: string;
  /** Completes "FIELD …" when it does not hold. */
  sentence: Sentence;
}

/** In these nothing has been sold, as long as no stock was made. */
const FREE_PHASES: readonly Phase[] = ['Scheduled', 'Failed'];
const OVER_PHASES: readonly Phase[] = ['Closing', 'Settled', 'Failed'];

/** Whether everything may still change: the stock was not made, and nobody is about to make it. */
export function mayChange({ status }: SeckillEvent): boolean {
  return status === undefined || (FREE_PHASES.includes(status.phase) && status.stockGeneration === undefined);
}

const listed = (phases: readonly Phase[]): string => `[${phases.map((phase) => `"${phase}"`).join(', ')}]`;
export const MAY_CHANGE_CEL = `!has(oldSelf.status) || !has(oldSelf.status.phase) || (oldSelf.status.phase in ${listed(
  FREE_PHASES,
)} && !has(oldSelf.status.stockGeneration))`;

const ANEW = 'or delete the event and apply it anew once it is settled';

function frozen(field: string, options: { optional?: boolean; time?: boolean } = {}): ChangeCheck {
  const [part = '', name = ''] = field.split('.');
  const read = (spec: SeckillEventSpec): unknown => {
    const value = (spec[part as 'product'] as Record<string, unknown>)[name];
    return options.time === true ? Date.parse(String(value)) : value;
  };
  const [now, former] = [`self.spec.${field}`, `oldSelf.spec.${field}`];
  const equal =
    options.time === true
      ? `timestamp(${now}) == timestamp(${former})`
      : options.optional === true
        ? `has(${now}) == has(${former}) && (!has(${now}) || ${now} == ${former})`
        : `${now} == ${former}`;
  const back = options.optional === true ? 'put its former value back' : `put {${former}} back`;
  return {
    name: `${field.replaceAll(/(?:^|\.)(\w)/g, (_all, letter: string) => letter.toUpperCase())}Frozen`,
    field,
    holds: (before, after) => read(before.spec) === read(after),
    cel: equal,
    sentence: `is frozen from preheat on: ${back}, ${ANEW}`,
  };
}

const { properties, required } = productSchema as unknown as { properties: object; required: string[] };

/** The list reads as the specification; the plan holds to the same where a change slips through. */
export const CHANGE_CHECKS: readonly ChangeCheck[] = [
  ...Object.keys(properties).map((name) => frozen(`product.${name}`, { optional: !required.includes(name) })),
  frozen('stock.buckets'),
  frozen('limits.unitsPerBuyer'),
  frozen('schedule.startTime', { time: true }),
  {
    name: 'NotBelowSold',
    field: 'stock.totalUnits',
    holds: ({ spec, status }, { stock }) =>
      stock.totalUnits >= spec.stock.totalUnits || stock.totalUnits >= (status?.stock?.sold ?? 0),
    cel: [
      'self.spec.stock.totalUnits >= oldSelf.spec.stock.totalUnits',
      '!has(oldSelf.status.stock) || !has(oldSelf.status.stock.sold)',
      'self.spec.stock.totalUnits >= oldSelf.status.stock.sold',
    ].join(' || '),
    sentence:
      'must be at least {oldSelf.status.stock.sold}, the units sold already, got {self.spec.stock.totalUnits}: ' +
      'to sell no more, set closed to true',
  },
  {
    name: 'ClosedForGood',
    field: 'closed',
    holds: ({ spec }, { closed }) => closed || !spec.closed,
    cel: 'self.spec.closed || !oldSelf.spec.closed',
    sentence: `must stay true, a closed sale cannot open again: put true back, ${ANEW}, with another startTime`,
  },
  {
    name: 'EndNotEarlier',
    field: 'schedule.endTime',
    holds: ({ spec }, { schedule }) => Date.parse(schedule.endTime) >= Date.parse(spec.schedule.endTime),
    cel: 'timestamp(self.spec.schedule.endTime) >= timestamp(oldSelf.spec.schedule.endTime)',
    sentence:
      'may only move to a time after {oldSelf.spec.schedule.endTime}, got {self.spec.schedule.endTime}: ' +
      'to end the sale earlier, set closed to true',
  },
  {
    name: 'EndBeforeItPassed',
    field: 'schedule.endTime',
    holds: ({ spec, status }, { schedule }) =>
      Date.parse(schedule.endTime) <= Date.parse(spec.schedule.endTime) ||
      !OVER_PHASES.includes(status?.phase ?? 'Scheduled'),
    cel: [
      'timestamp(self.spec.schedule.endTime) <= timestamp(oldSelf.spec.schedule.endTime)',
      `!(oldSelf.status.phase in ${listed(OVER_PHASES)})`,
    ].join(' || '),
    sentence: `cannot move any more, the sale is over: put {oldSelf.spec.schedule.endTime} back, ${ANEW}`,
  },
];
