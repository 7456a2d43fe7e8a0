import { Type } from 'typebox';
import { EVENT_NAME_MAX_CHARS, NAMESPACE_MAX_CHARS, UNITS_PER_BUYER_MAX } from '../domain/limits.ts';
import { EVENT_STATES } from './event-state.ts';

/* One source for what is checked, what is answered and what /openapi.json says. */

const label = '^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$';

export const EventParams = Type.Object({
  namespace: Type.String({
    maxLength: NAMESPACE_MAX_CHARS,
    pattern: label,
    description: 'Namespace of the SeckillEvent',
  }),
  name: Type.String({ maxLength: EVENT_NAME_MAX_CHARS, pattern: label, description: 'Name of the SeckillEvent' }),
});

export const ReservationParams = Type.Object({
  ...EventParams.properties,
  id: Type.String({ maxLength: 36, description: 'The id of the reservation, which the admission token decides' }),
});

export const PurchaseBody = Type.Object(
  { units: Type.Integer({ minimum: 1, maximum: UNITS_PER_BUYER_MAX, description: 'How many units are asked for' }) },
  { additionalProperties: false },
);

export const PurchaseHeaders = Type.Object({
  'seckill-attempt': Type.Optional(
    Type.String({
      description:
        '1 (the default) for the first attempt with this token, 2 and up for every one after a missing or unknown answer. ' +
        'Only first attempts are refused by a remembered number of units.',
    }),
  ),
});

export const ReservationBody = Type.Object(
  {
    reservationId: Type.String(),
    eventId: Type.String(),
    units: Type.Integer(),
    state: Type.String({ enum: ['held', 'committed', 'released'] }),
    orderUrl: Type.String({ description: 'Where the order can be read once it is in the ledger' }),
  },
  { description: 'The reservation as it is now' },
);

export const UnknownBody = Type.Object(
  {
    status: Type.String({ enum: ['unknown'] }),
    retryAfterSeconds: Type.Integer(),
    statusUrl: Type.Optional(
      Type.String({ description: 'Missing when the edge answers, which cannot read the token' }),
    ),
  },
  { description: 'Nobody knows yet: ask again with the same token after Retry-After, and the answer is definite' },
);

export const EventBody = Type.Object(
  {
    namespace: Type.String(),
    name: Type.String(),
    eventId: Type.String(),
    state: Type.String({ enum: [...EVENT_STATES], description: 'What an attempt would be told now' }),
    unitsLeft: Type.Optional(Type.Integer({ minimum: 0 })),
    startTime: Type.String({ description: 'ISO 8601, inclusive' }),
    endTime: Type.String({ description: 'ISO 8601, exclusive' }),
    serverTime: Type.String({ description: 'ISO 8601: the clock that judges the window' }),
    product: Type.Object({
      sku: Type.String(),
      title: Type.String(),
      priceMinor: Type.Integer({ description: 'In minor units of the currency' }),
      listPriceMinor: Type.Optional(Type.Integer()),
      currency: Type.String({ description: 'ISO 4217' }),
      imageUrl: Type.Optional(Type.String()),
    }),
    unitsPerBuyer: Type.Integer(),
  },
  { description: 'The sale as it is now; may be a second old' },
);
