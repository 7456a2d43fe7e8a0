import { eventKeyOf } from '../../../services/domain/event.ts';
import type { Log } from '../../../services/kit/log.ts';
import type { EventKey } from '../../api/seckill-event.ts';
import type { EventStore } from '../platform.ts';
import { OBJECT_POLL_MS, OBJECT_RESYNC_MS } from './limits.ts';
import type { ObjectStore } from './object-store.ts';

/** The platform's events on the host: the object store, and a watch that looks at it. */
export function createHostEvents({ store, log }: { store: ObjectStore; log: Log }): EventStore {
  return {
    list: store.list,
    get: store.get,
    putStatus: store.putStatus,
    setFinalizer: store.setFinalizer,
    async watch(onChange) {
      let seen = new Map<EventKey, string>();
      let stamp: string | undefined;
      let toldAtMs = performance.now();
      let stopped = false;
      let looking = Promise.resolve();

      async function look(): Promise<void> {
        const now = await store.stamp();
        const resync = performance.now() - toldAtMs >= OBJECT_RESYNC_MS;
        if (now === stamp && !resync) return;
        const events = await store.list();
        const found = new Map(
          events.map(({ metadata, spec }) => [eventKeyOf(metadata), JSON.stringify([metadata, spec])]),
        );
        const changed = [...found].filter(([key, text]) => resync || seen.get(key) !== text).map(([key]) => key);
        const gone = [...seen.keys()].filter((key) => !found.has(key));
        seen = found;
        stamp = now;
        if (resync) toldAtMs = performance.now();
        for (const key of [...changed, ...gone]) onChange(key);
      }

      const round = () => {
        looking = look()
          .catch((error: unknown) => log.error({ err: error }, 'events could not be read'))
          .then(() => {
            if (!stopped) timer = setTimeout(round, OBJECT_POLL_MS);
          });
      };
      let timer = setTimeout(round, 0);
      return {
        async stop() {
          stopped = true;
          clearTimeout(timer);
          await looking;
        },
      };
    },
  };
}
