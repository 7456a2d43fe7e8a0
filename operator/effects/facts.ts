import { readServerFacts } from '../../lua/server-facts.ts';
import { HOLDS_TOPIC } from '../../services/kit/kafka/topics.ts';
import type { Facts } from '../plan/observed.ts';
import type { EffectDeps } from './deps.ts';
import { within } from './within.ts';

/** Asks all servers at once what the arming checks want to know. A server that does not answer leaves its part out. */
export async function readFacts(deps: EffectDeps, clockOffsetMs: number | undefined): Promise<Facts> {
  const { link, admin, ledger } = deps;
  const [redis, topic, facts] = await Promise.all([
    within(readServerFacts(link)),
    within(admin.describeTopic(HOLDS_TOPIC).then((found) => ({ found }))),
    within(ledger.ping()),
  ]);
  return {
    redis,
    topic:
      topic === undefined
        ? undefined
        : topic.found === undefined
          ? { exists: false }
          : { exists: true, ...topic.found },
    ledger: facts,
    clockOffsetMs,
  };
}
