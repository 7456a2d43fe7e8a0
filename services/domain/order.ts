/**
 * States of an order. `PENDING_PAYMENT → PAID | CANCELLED | EXPIRED`; `PAID → REFUND_DUE → REFUNDED`; `VOIDED` is an
 * order that could never be honoured. An order's id is its reservation's id.
 */
export const ORDER_STATES = [
  'PENDING_PAYMENT',
  'PAID',
  'CANCELLED',
  'EXPIRED',
  'VOIDED',
  'REFUND_DUE',
  'REFUNDED',
] as const;
export type OrderState = (typeof ORDER_STATES)[number];

/** The states in which an order holds its units. */
export const LIVE_ORDER_STATES: readonly OrderState[] = ['PENDING_PAYMENT', 'PAID'];

export function isLive(state: OrderState): boolean {
  return LIVE_ORDER_STATES.includes(state);
}
