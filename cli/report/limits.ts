/** Findings that a report names; the counts are whole. */
export const FINDINGS_MAX = 20;
