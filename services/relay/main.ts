import { Type } from 'typebox';
import { connectRedis } from '../../lua/connection.ts';
import { HOLD_RESEND_AFTER_MS } from '../domain/limits.ts';
import { systemClock } from '../kit/clock.ts';
import { KAFKA_VARIABLES, REDIS_VARIABLES } from '../kit/config.ts';
import { createHttp } from '../kit/http.ts';
import { createKafka } from '../kit/kafka/kafka.ts';
import type { Producer } from '../kit/kafka/port.ts';
import { HOLDS_DEAD_TOPIC, HOLDS_TOPIC } from '../kit/kafka/topics.ts';
import { observeRedis } from '../kit/redis-calls.ts';
import { runProcess } from '../kit/run.ts';
import { kafkaServers, redisServer } from '../kit/servers.ts';
import type { RelayCounts } from './counts.ts';
import { CLAIM_IDLE_MIN_MS, CLAIM_IDLE_MS, REDIS_COMMAND_TIMEOUT_MS, RESEND_AFTER_MIN_MS } from './limits.ts';
import { startRelay } from './relay.ts';

const TOPIC = '^[A-Za-z0-9._-]{1,249}$';

const RELAY_VARIABLES = {
  SECKILL_HOLDS_TOPIC: Type.String({ default: HOLDS_TOPIC, pattern: TOPIC, description: 'the name of a topic' }),
  SECKILL_HOLDS_DEAD_TOPIC: Type.String({
    default: HOLDS_DEAD_TOPIC,
    pattern: TOPIC,
    description: 'the name of a topic',
  }),
  SECKILL_RELAY_CLAIM_IDLE_MS: Type.Integer({
    default: CLAIM_IDLE_MS,
    minimum: CLAIM_IDLE_MIN_MS,
    maximum: 3_600_000,
    description: `after how many milliseconds entries are taken over from a relay, from ${CLAIM_IDLE_MIN_MS}`,
  }),
  SECKILL_HOLD_RESEND_AFTER_MS: Type.Integer({
    default: HOLD_RESEND_AFTER_MS,
    minimum: RESEND_AFTER_MIN_MS,
    maximum: 3_600_000,
    description: `after how many milliseconds an uncommitted hold is sent again, from ${RESEND_AFTER_MIN_MS}`,
  }),
};

await runProcess({
  role: 'relay',
  schema: Type.Object({ ...REDIS_VARIABLES, ...KAFKA_VARIABLES, ...RELAY_VARIABLES }),
  async start({ config, instance, log, metrics, health, faults }) {
    const kafka = createKafka({ ...kafkaServers(config), clientId: `relay-${instance}`, log });
    const producers = [kafka.producer(), kafka.producer()] as const;
    const [producer, deadProducer] = producers;
    health.setReady('kafka', false, 'no broker has answered yet');
    void connect(producer, () => health.setReady('kafka', true));
    health.setReady('redis', false, 'there is no connection yet');
    const link = connectRedis({
      ...redisServer(config),
      log,
      name: `relay-${instance}`,
      commandTimeoutMs: REDIS_COMMAND_TIMEOUT_MS,
      onCall: observeRedis(metrics),
      onChange: (up) => health.setReady('redis', up, 'the connection is lost'),
    });

    const messages = metrics.tally('relayMessages');
    const acknowledged = metrics.tally('relayAcknowledged');
    const deadLetters = metrics.tally('deadLetters');
    const sendSeconds = metrics.histogram('relaySendSeconds');
    const batchMessages = metrics.histogram('relayBatchMessages');
    const counts: RelayCounts = {
      add(what, count) {
        if (what === 'acknowledged') acknowledged.add('', count);
        else if (what === 'dead') deadLetters.add('', count);
        else messages.add(what, count);
      },
    };
    const relay = startRelay({
      link,
      producer,
      deadProducer,
      topics: { holds: config.SECKILL_HOLDS_TOPIC, dead: config.SECKILL_HOLDS_DEAD_TOPIC },
      consumer: instance,
      claimIdleMs: config.SECKILL_RELAY_CLAIM_IDLE_MS,
      resendAfterMs: config.SECKILL_HOLD_RESEND_AFTER_MS,
      counts,
      onSent(count, seconds) {
        sendSeconds.observe(seconds);
        batchMessages.observe(count);
      },
      clock: systemClock,
      faults,
      log,
    });
    metrics.gauge('relayJournalEntries', () => relay.lag()?.entries);
    metrics.gauge('relayLagMessages', () => relay.lag()?.messages);
    metrics.gauge('relayLagSeconds', () => relay.lag()?.seconds);
    metrics.gauge('clockSkewSeconds', () => relay.clockSkewSeconds());

    const http = createHttp({ log, metrics, health });
    const url = await http.listen({ host: config.SECKILL_HOST, port: config.SECKILL_PORT });
    log.info({ url }, 'listening');
    return {
      async stop() {
        await relay.stop();
        await Promise.all(producers.map((one) => one.close()));
        await link.close();
        await http.close();
      },
    };
  },
});

/** Waits for a broker in the background: the relay reads and keeps until then. */
async function connect(producer: Producer, connected: () => void): Promise<void> {
  try {
    await producer.connect();
    connected();
  } catch {
    // Only a close ends the waiting without a connection.
  }
}
