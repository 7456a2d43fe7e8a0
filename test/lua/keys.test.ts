import { expect, test } from 'vitest';
import { bucketOf, stockKeys } from '../../lua/keys.ts';

test('the keys of a bucket share one hash tag, and those of two buckets share none', () => {
  const tags = (bucket: number) => new Set(stockKeys('shop.phone-x.1', bucket).map((key) => /\{(.+)\}/.exec(key)?.[1]));
  expect([...tags(0)]).toEqual(['shop.phone-x.1/0']);
  expect([...tags(7)]).toEqual(['shop.phone-x.1/7']);
  expect(new Set(stockKeys('a.b.1', 0)).size).toBe(4);
});

test('a buyer’s home bucket never changes, whatever the release', () => {
  // Kept from the first release: a buyer who moved could buy his limit twice.
  const homes = ['ann', 'bob', 'buyer-1', 'buyer-2', 'a@b.c', 'Z'].map((buyer) => bucketOf(buyer, 4));
  expect(homes).toEqual([0, 0, 2, 3, 1, 1]);
  expect(bucketOf('ann', 1)).toBe(0);
});

test('buyers spread evenly over the buckets', () => {
  for (const buckets of [2, 4, 16]) {
    const count = new Map<number, number>();
    for (let i = 0; i < 20_000; i += 1) {
      const home = bucketOf(`buyer-${i}`, buckets);
      count.set(home, (count.get(home) ?? 0) + 1);
    }
    expect([...count.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: buckets }, (_, i) => i));
    for (const buyers of count.values()) expect(Math.abs(buyers - 20_000 / buckets) * buckets).toBeLessThan(2_000);
  }
});

test('a number of buckets that no sale can have stops the process', () => {
  for (const buckets of [0, -1, 1.5, 2_000]) expect(() => bucketOf('ann', buckets)).toThrow();
});
