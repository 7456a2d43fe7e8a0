import { InvalidArgumentError, Option } from 'commander';
import { eventKeyOf, isEventName, isNamespace, parseEventId } from '../services/domain/event.ts';
import { BUYER_MAX_CHARS } from '../services/domain/limits.ts';
import { isBuyer } from '../services/domain/reservation.ts';

/** Parsers of option values. What they throw, commander prints after the option's name, and exits. */

/** A whole number in these bounds. */
export function wholeNumber(min: number, max: number, example: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^-?\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Give a whole number from ${min} to ${max}, for example ${example}.`);
  };
}

/** `namespace/name`; a bare name is in the namespace `default`. */
export function eventArgument(text: string): { namespace: string; name: string } {
  const edition = parseEventId(text);
  if (edition !== undefined) {
    throw new InvalidArgumentError(
      `That is the id of one edition, and commands are about the latest: give ${eventKeyOf(edition)}.`,
    );
  }
  const [first, second, ...rest] = text.split('/');
  const namespace = second === undefined ? 'default' : (first ?? '');
  const name = second ?? first ?? '';
  if (rest.length > 0 || !isNamespace(namespace) || !isEventName(name)) {
    throw new InvalidArgumentError(
      'Give NAMESPACE/NAME in lower case letters, digits and dashes, for example shop/phone-x.',
    );
  }
  return { namespace, name };
}

/** An http or https URL, without a slash at its end. */
export function baseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new InvalidArgumentError(
      'Give a URL that begins with http:// or https://, for example http://127.0.0.1:8080.',
    );
  }
  return text.replace(/\/+$/, '');
}

/** The name of a namespace. */
export function namespaceArgument(text: string): string {
  if (isNamespace(text)) return text;
  throw new InvalidArgumentError('Give a DNS label of lower case letters, digits and dashes, for example shop.');
}

export function releaseNamespaceOption(): Option {
  const description = 'namespace of the release in the cluster; by default it is looked for in all';
  return new Option('--release-namespace <name>', description).argParser(namespaceArgument);
}

export function buyerArgument(text: string): string {
  if (isBuyer(text)) return text;
  throw new InvalidArgumentError(
    `Give 1 to ${BUYER_MAX_CHARS} letters, digits and any of ._:@~-, for example buyer-7.`,
  );
}
