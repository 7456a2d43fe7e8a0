import { expect, test } from 'vitest';
import { baseUrl, buyerArgument, eventArgument, wholeNumber } from '../../cli/options.ts';

test.each(['0', '-5', 'abc', '1.5', '', ' 7', '1e3', '1001', 'NaN'])(
  '"%s" is refused as a number of buyers, with the remedy',
  (text) => {
    expect(() => wholeNumber(1, 1_000, 200)(text)).toThrow('Give a whole number from 1 to 1000, for example 200.');
  },
);

test('a whole number within the bounds is taken', () => {
  expect([wholeNumber(0, 10, 5)('0'), wholeNumber(1, 10, 5)('10')]).toEqual([0, 10]);
});

test('an event is named by namespace and name, or by a bare name', () => {
  expect(eventArgument('shop/phone-x')).toEqual({ namespace: 'shop', name: 'phone-x' });
  expect(eventArgument('phone-x')).toEqual({ namespace: 'default', name: 'phone-x' });
});

test('the id of an edition, which may be a former one, is refused with what to give instead', () => {
  expect(() => eventArgument('shop.phone-x.2')).toThrow('commands are about the latest: give shop/phone-x.');
});

test.each(['Shop/x', 'a/b/c', '', '/', 'a/', 'x'.repeat(41)])('"%s" names no event', (text) => {
  expect(() => eventArgument(text)).toThrow('Give NAMESPACE/NAME');
});

test('URLs lose their last slash, and other texts are refused', () => {
  expect(baseUrl('http://127.0.0.1:80/')).toBe('http://127.0.0.1:80');
  expect(() => baseUrl('127.0.0.1:80')).toThrow('Give a URL');
  expect(() => baseUrl('ftp://x')).toThrow('Give a URL');
});

test('a buyer id is short and plain', () => {
  expect(buyerArgument('alice@shop')).toBe('alice@shop');
  expect(() => buyerArgument('two words')).toThrow('Give 1 to 64');
});
