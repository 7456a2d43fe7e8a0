import type { Sequelize } from 'sequelize';

/*
 * Valid on MariaDB 10.11 and MySQL 8. Both commit each DDL statement by itself, so that every statement here can run a
 * second time after a migration that died half-way. Ids and buyers are ascii_bin: one byte a character, compared exactly.
 * JSON is kept as text, because the two servers differ in their JSON type.
 */
const ASCII = 'CHARACTER SET ascii COLLATE ascii_bin';

const EVENTS = `CREATE TABLE IF NOT EXISTS events (
  event_id VARCHAR(114) ${ASCII} NOT NULL,
  namespace VARCHAR(63) ${ASCII} NOT NULL,
  name VARCHAR(40) ${ASCII} NOT NULL,
  edition INT UNSIGNED NOT NULL,
  uid VARCHAR(64) ${ASCII} NOT NULL,
  state ENUM('warming', 'warmed', 'recovering', 'settled') ${ASCII} NOT NULL,
  generation INT UNSIGNED NOT NULL,
  revision INT UNSIGNED NOT NULL,
  runs TEXT ${ASCII} NOT NULL,
  armed TINYINT(1) NOT NULL,
  product TEXT NOT NULL,
  buckets SMALLINT UNSIGNED NOT NULL,
  units_per_buyer INT UNSIGNED NOT NULL,
  start_ms BIGINT UNSIGNED NOT NULL,
  end_ms BIGINT UNSIGNED NOT NULL,
  paused TINYINT(1) NOT NULL,
  closed TINYINT(1) NOT NULL,
  initial_units INT UNSIGNED NOT NULL,
  total_units INT UNSIGNED NOT NULL,
  target_units INT UNSIGNED NOT NULL,
  sold_units INT UNSIGNED NOT NULL,
  rebuilds INT UNSIGNED NOT NULL,
  created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (event_id),
  UNIQUE KEY events_edition (namespace, name, edition)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`;

/* Few indexes: each one costs every sale. No foreign key: the event row's lock, which every writer takes first, says more. */
const ORDERS = `CREATE TABLE IF NOT EXISTS orders (
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  id CHAR(36) ${ASCII} NOT NULL,
  event_id VARCHAR(114) ${ASCII} NOT NULL,
  bucket SMALLINT UNSIGNED NOT NULL,
  generation INT UNSIGNED NOT NULL,
  journal_id VARCHAR(27) ${ASCII} NOT NULL,
  buyer VARCHAR(64) ${ASCII} NOT NULL,
  units INT UNSIGNED NOT NULL,
  state ENUM('PENDING_PAYMENT', 'PAID', 'CANCELLED', 'EXPIRED', 'VOIDED', 'REFUND_DUE', 'REFUNDED') ${ASCII} NOT NULL,
  reason VARCHAR(64) ${ASCII} NULL,
  price_minor BIGINT UNSIGNED NOT NULL,
  currency CHAR(3) ${ASCII} NOT NULL,
  held_at_ms BIGINT UNSIGNED NOT NULL,
  created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  payment_deadline DATETIME(3) NULL,
  paid_at DATETIME(3) NULL,
  ended_at DATETIME(3) NULL,
  refunded_at DATETIME(3) NULL,
  PRIMARY KEY (seq),
  UNIQUE KEY orders_id (id),
  KEY orders_event (event_id, seq)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`;

const RETURNS = `CREATE TABLE IF NOT EXISTS returns (
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  order_id CHAR(36) ${ASCII} NOT NULL,
  event_id VARCHAR(114) ${ASCII} NOT NULL,
  bucket SMALLINT UNSIGNED NOT NULL,
  buyer VARCHAR(64) ${ASCII} NOT NULL,
  units INT UNSIGNED NOT NULL,
  done TINYINT(1) NOT NULL DEFAULT 0,
  created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  done_at DATETIME(3) NULL,
  PRIMARY KEY (seq),
  UNIQUE KEY returns_order (order_id),
  KEY returns_due (done, seq)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`;

const SETTLEMENTS = `CREATE TABLE IF NOT EXISTS settlements (
  event_id VARCHAR(114) ${ASCII} NOT NULL,
  report LONGTEXT NOT NULL,
  settled_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (event_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`;

export async function up(sequelize: Sequelize): Promise<void> {
  for (const statement of [EVENTS, ORDERS, RETURNS, SETTLEMENTS]) await sequelize.query(statement);
}
