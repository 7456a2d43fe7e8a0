/** Bounds of what a process shows of itself. */

/** Series of one metric; what comes beyond is counted together. */
export const SERIES_PER_METRIC_MAX = 60;

/** A second of the peak is made of so many slots, so that a rush is seen whole wherever it falls. */
export const PEAK_SLOTS_PER_SECOND = 10;
/** A peak stays visible for so long, whoever read it meanwhile: two scrapers do not take it from each other. */
export const PEAK_SHOWN_AT_LEAST_SECONDS = 5;
