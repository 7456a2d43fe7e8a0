/** What a relay counts of its own work. */
export type RelayCount = 'sent' | 'resent' | 'acknowledged' | 'dead';

export interface RelayCounts {
  add(what: RelayCount, count: number): void;
}
