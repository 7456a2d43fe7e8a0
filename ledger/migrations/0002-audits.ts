import type { Sequelize } from 'sequelize';

/*
 * What the continuous audit needs. It only adds: processes of the release before go on beside it.
 *
 * `changed_at` is kept by the database itself, so that it also moves when somebody changes a row by hand. It is a
 * TIMESTAMP, because a DATETIME would be written in the time zone of whoever changed the row. With the two indexes the
 * audit finds what changed after it was stored, and what a buyer has, without reading the sale.
 */
const AUDITS = `CREATE TABLE IF NOT EXISTS audits (
  event_id VARCHAR(114) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version INT UNSIGNED NOT NULL,
  generation INT UNSIGNED NOT NULL,
  journal_ids TEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  last_seq BIGINT UNSIGNED NOT NULL,
  state MEDIUMTEXT NOT NULL,
  PRIMARY KEY (event_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`;

const ORDERS = `ALTER TABLE orders
  ADD COLUMN changed_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  ADD KEY orders_changed (event_id, changed_at, created_at),
  ADD KEY orders_buyer (event_id, buyer)`;

export async function up(sequelize: Sequelize): Promise<void> {
  await sequelize.query(AUDITS);
  // MySQL has no ADD COLUMN IF NOT EXISTS. The statement is atomic: the column tells of all of it.
  const columns = await sequelize.getQueryInterface().describeTable('orders');
  if (columns['changed_at'] === undefined) await sequelize.query(ORDERS);
}
