import { DataTypes, type Model, type ModelStatic, type Sequelize } from 'sequelize';
import { ORDER_STATES } from '../services/domain/order.ts';
import { LEDGER_STATES } from './rows.ts';

/*
 * The tables as Sequelize sees them, for the reads that are not in a hurry. Writes are statements, because each of them
 * is conditional. The migrations are what makes the tables; a test compares the two.
 */
export interface Models {
  events: ModelStatic<Model>;
  orders: ModelStatic<Model>;
  returns: ModelStatic<Model>;
  settlements: ModelStatic<Model>;
}

const { BIGINT, BOOLEAN, CHAR, DATE, ENUM, INTEGER, SMALLINT, STRING, TEXT } = DataTypes;
// Functions, because `define` writes into what it is given.
const count = () => ({ type: INTEGER.UNSIGNED, allowNull: false });
const timeMs = () => ({ type: BIGINT.UNSIGNED, allowNull: false });
const flag = () => ({ type: BOOLEAN, allowNull: false });
const createdAt = () => ({ type: DATE(3), allowNull: false });
const maybeAt = () => ({ type: DATE(3), allowNull: true });
const seq = () => ({ type: BIGINT.UNSIGNED, primaryKey: true, autoIncrement: true, allowNull: false });
const eventId = () => ({ type: STRING(114), allowNull: false });
const bucket = () => ({ type: SMALLINT.UNSIGNED, allowNull: false });
const buyer = () => ({ type: STRING(64), allowNull: false });

export function defineModels(sequelize: Sequelize): Models {
  return {
    events: sequelize.define('events', {
      event_id: { ...eventId(), primaryKey: true },
      namespace: { type: STRING(63), allowNull: false },
      name: { type: STRING(40), allowNull: false },
      edition: count(),
      uid: { type: STRING(64), allowNull: false },
      state: { type: ENUM(...LEDGER_STATES), allowNull: false },
      generation: count(),
      revision: count(),
      runs: { type: TEXT, allowNull: false },
      armed: flag(),
      product: { type: TEXT, allowNull: false },
      buckets: bucket(),
      units_per_buyer: count(),
      start_ms: timeMs(),
      end_ms: timeMs(),
      paused: flag(),
      closed: flag(),
      initial_units: count(),
      total_units: count(),
      target_units: count(),
      sold_units: count(),
      rebuilds: count(),
      created_at: createdAt(),
    }),
    orders: sequelize.define('orders', {
      seq: seq(),
      id: { type: CHAR(36), allowNull: false },
      event_id: eventId(),
      bucket: bucket(),
      generation: count(),
      journal_id: { type: STRING(27), allowNull: false },
      buyer: buyer(),
      units: count(),
      state: { type: ENUM(...ORDER_STATES), allowNull: false },
      reason: { type: STRING(64), allowNull: true },
      price_minor: { type: BIGINT.UNSIGNED, allowNull: false },
      currency: { type: CHAR(3), allowNull: false },
      held_at_ms: timeMs(),
      created_at: createdAt(),
      payment_deadline: maybeAt(),
      paid_at: maybeAt(),
      ended_at: maybeAt(),
      refunded_at: maybeAt(),
      changed_at: createdAt(),
    }),
    returns: sequelize.define('returns', {
      seq: seq(),
      order_id: { type: CHAR(36), allowNull: false },
      event_id: eventId(),
      bucket: bucket(),
      buyer: buyer(),
      units: count(),
      done: flag(),
      created_at: createdAt(),
      done_at: maybeAt(),
    }),
    settlements: sequelize.define('settlements', {
      event_id: { ...eventId(), primaryKey: true },
      report: { type: TEXT('long'), allowNull: false },
      settled_at: createdAt(),
    }),
  };
}
