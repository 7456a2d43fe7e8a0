import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readText, writeIfChanged } from '../../operator/platform/host/atomic-file.ts';
import { freePort, isFree } from '../../operator/platform/host/free-port.ts';
import { livingProcess, type ProcessRecord } from '../../operator/platform/host/process-record.ts';
import type { StateFolder } from '../../operator/platform/host/state-folder.ts';
import { type Target, target } from '../../operator/platform/host/targets.ts';
import { messageOf } from '../../tools/servers/errors.ts';
import type { ServerOptions } from '../../tools/servers/options.ts';
import { findPrometheus, preparePrometheus, prometheusReady } from '../../tools/servers/prometheus.ts';
import { type PlannedServer, portOf, serverSpec } from './servers.ts';

export const PROMETHEUS_GROUP = 'prometheus';

const RULES = fileURLToPath(new URL('../../dashboards/prometheus', import.meta.url));

/**
 * Prometheus over this folder: it reads whatever processes its files of targets name, and the product's rules. A sale
 * can do without it: where it is missing and cannot be fetched, `tell` hears a sentence, and the answer is `undefined`.
 */
export async function planPrometheus(
  options: ServerOptions,
  folder: StateFolder,
  records: readonly ProcessRecord[],
  tell: (line: string) => void,
): Promise<PlannedServer | undefined> {
  try {
    const [binary, port] = await Promise.all([findPrometheus(options), portOf(records, 'prometheus')]);
    const url = `http://127.0.0.1:${port}`;
    const spec = await serverSpec({
      ...{ name: 'prometheus', group: PROMETHEUS_GROUP, port, url },
      prepare: () =>
        preparePrometheus(binary, {
          ...{ dir: folder.prometheus, port },
          targetFiles: [join(folder.targets, '*.json')],
          ruleFiles: [join(RULES, '*.yaml')],
        }),
      ready: (server, deadlineMs) => prometheusReady(server, { deadlineMs }),
    });
    return { url, spec };
  } catch (error) {
    tell(`The platform goes on without Prometheus: ${messageOf(error)}`);
    return undefined;
  }
}

/** Where the edge tells its numbers: the port of its last life, unless somebody else has it now. */
export async function planEdgeTarget(folder: StateFolder, records: readonly ProcessRecord[]): Promise<number> {
  const file = join(folder.targets, 'edge.json');
  const [former] = JSON.parse((await readText(file)) ?? '[]') as Target[];
  const formerPort = Number(former?.targets[0]?.split(':')[1] ?? 0);
  const lives = records.some((record) => record.instance === 'edge' && livingProcess(record) !== undefined);
  const port = formerPort > 0 && (lives || (await isFree(formerPort))) ? formerPort : await freePort();
  await writeIfChanged(file, `${JSON.stringify([target('edge', port)])}\n`, 0o644);
  return port;
}
