export const STATUS_POLL_MS = 1_000;
export const NOTICES_SHOWN_MAX = 12;
export const DELETE_POLL_MS = 200;
export const DELETE_WAIT_MAX_MS = 300_000;
