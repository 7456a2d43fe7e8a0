import type { Clock } from '../../../services/kit/clock.ts';
import type { Log } from '../../../services/kit/log.ts';
import type { Platform } from '../platform.ts';
import { createHostEvents } from './events.ts';
import { createHostLeaseStore } from './lease-store.ts';
import { createHostNotices } from './notices.ts';
import { createObjectStore } from './object-store.ts';
import { stateFolder } from './state-folder.ts';
import { createHostWorkloads, type PodTemplate } from './workloads.ts';

/** The platform of one machine: state in a folder, pods as processes. */
export function createHostPlatform(options: { stateDir: string; pod: PodTemplate; log: Log; clock: Clock }): Platform {
  const { stateDir, pod, log, clock } = options;
  const folder = stateFolder(stateDir);
  const store = createObjectStore(folder.events);
  const workloads = createHostWorkloads({ folder, pod, log, clock });
  return {
    events: createHostEvents({ store, log }),
    workloads,
    notices: createHostNotices({ file: folder.notices, clock }),
    lease: createHostLeaseStore(folder.lease),
    close: () => workloads.close(),
  };
}
