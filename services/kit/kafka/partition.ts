/**
 * The partition of a key, as Kafka's own Java producer chooses it: murmur2 of the key's bytes, made positive, modulo
 * the number of partitions. The library computes the same with big integers, which took a third of a send's time.
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions;
}

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** MurmurHash2 by Austin Appleby, in the variant and with the seed of org.apache.kafka.common.utils.Utils. */
function murmur2(data: Buffer): number {
  const whole = data.length & ~3;
  let h = SEED ^ data.length;
  for (let at = 0; at < whole; at += 4) {
    let k = Math.imul(data.readInt32LE(at), M);
    k = Math.imul(k ^ (k >>> 24), M);
    h = Math.imul(h, M) ^ k;
  }
  if (data.length > whole) {
    for (let at = data.length - 1; at >= whole; at -= 1) h ^= data.readUInt8(at) << ((at - whole) * 8);
    h = Math.imul(h, M);
  }
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}
