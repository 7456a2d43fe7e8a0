import { readServerFacts } from '../../lua/server-facts.ts';
import type { TopicDescription } from '../../services/kit/kafka/port.ts';
import { HOLDS_TOPIC } from '../../services/kit/kafka/topics.ts';
import type { Facts } from '../plan/observed.ts';
import type { EffectDeps } from './deps.ts';
import { within } from './within.ts';

/**
 * Asks all servers at once what the arming checks want to know. One that does not answer leaves its part out, with the
 * reason in `unanswered`.
 */
export async function readFacts(
  { link, admin, ledger }: Pick<EffectDeps, 'link' | 'admin' | 'ledger'>,
  clockOffsetMs: number | undefined,
): Promise<Facts> {
  const [redis, topic, schema] = await Promise.all([
    within(readServerFacts(link)),
    within(admin.describeTopic(HOLDS_TOPIC).then((found) => ({ found }))),
    within(ledger.ping()),
  ]);
  const asked = { redis, topic, ledger: schema };
  const unanswered = Object.entries(asked).flatMap(([name, answer]) => ('why' in answer ? [[name, answer.why]] : []));
  return {
    redis: redis.value,
    topic: topicOf(topic.value),
    ledger: schema.value,
    unanswered: Object.fromEntries(unanswered) as NonNullable<Facts['unanswered']>,
    clockOffsetMs,
  };
}

function topicOf(answer: { found: TopicDescription | undefined } | undefined): Facts['topic'] {
  if (answer === undefined) return undefined;
  return answer.found === undefined ? { exists: false } : { exists: true, ...answer.found };
}
