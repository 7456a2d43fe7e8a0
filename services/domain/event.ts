import { EVENT_NAME_MAX_CHARS, NAMESPACE_MAX_CHARS } from './limits.ts';

/** A flash sale: an object's namespace and name, and how many times the ledger has begun it anew. */
export interface EventIdentity {
  namespace: string;
  name: string;
  /** Counted by the ledger from 1. */
  edition: number;
}

/** What is sold, and for how much. Money is integer minor units with an ISO 4217 currency. */
export interface Product {
  sku: string;
  title: string;
  priceMinor: number;
  listPriceMinor?: number;
  currency: string;
  imageUrl?: string;
}

const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

export function isEventName(value: string): boolean {
  return value.length <= EVENT_NAME_MAX_CHARS && DNS_LABEL.test(value);
}

export function isNamespace(value: string): boolean {
  return value.length <= NAMESPACE_MAX_CHARS && DNS_LABEL.test(value);
}

/** `namespace.name.edition`. DNS labels hold no dots, so that the parts can be told apart again. */
export function eventIdOf({ namespace, name, edition }: EventIdentity): string {
  return `${namespace}.${name}.${edition}`;
}

/** The parts of an event id, or `undefined` when the text is not one. */
export function parseEventId(eventId: string): EventIdentity | undefined {
  const [namespace, name, edition, ...rest] = eventId.split('.');
  if (namespace === undefined || name === undefined || edition === undefined || rest.length > 0) return undefined;
  if (!isNamespace(namespace) || !isEventName(name) || !/^[1-9]\d{0,8}$/.test(edition)) return undefined;
  return { namespace, name, edition: Number(edition) };
}

/** `namespace/name`: how people and metrics call an event, whatever its edition. */
export function eventKeyOf({ namespace, name }: Pick<EventIdentity, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}
