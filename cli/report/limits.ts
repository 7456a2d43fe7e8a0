/** Findings that a report names; the counts are whole. */
export const FINDINGS_MAX = 20;
/** Orders that are read from the ledger in one page. */
export const ORDERS_PAGE_ROWS = 5_000;
