import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { UNKNOWN_OUTCOME } from '../../cli/load/outcome.ts';
import type { Manifest } from '../../operator/api/seckill-event.ts';
import type { ErrorCode } from '../../services/domain/errors.ts';
import { NODE_ADDRESS } from '../../tools/cluster/place.ts';
import { messageOf } from '../../tools/servers/errors.ts';
import { createTools, until } from './commands.ts';
import { described } from './connections.ts';
import {
  BUSY_BUYERS,
  BUSY_RATE_PER_SECOND,
  BUSY_UNITS,
  CALM_BUYERS,
  CALM_RATE_PER_SECOND,
  ENDED_TIMEOUT_MS,
  OPEN_TIMEOUT_MS,
  REPLACED_TIMEOUT_MS,
  SCALED_TIMEOUT_MS,
} from './limits.ts';
import { type NetworkPolicy, stoppedAt } from './network-policies.ts';
import {
  edgeUrl,
  install,
  type LoadOutcome,
  NAMESPACE,
  playBuyers,
  RELEASE,
  rollBack,
  uninstall,
  upgrade,
} from './platform.ts';
import { expectThat, type Run, readStatus, settledExactly, unitsOrdered } from './run.ts';

const example = join(import.meta.dirname, '../../examples/open-now.yaml');
const POOL = ['-l', 'app.kubernetes.io/component=pool'];
const FLOOR = 2;

/** The example that opens as soon as it is applied, with units for all who come and room to scale. */
const busyManifest = () => {
  const manifest = parse(readFileSync(example, 'utf8')) as Manifest;
  const { spec } = manifest;
  const scaling = { ...spec.scaling, minReplicas: FLOOR, openReplicas: FLOOR, maxReplicas: FLOOR + 1 };
  return { ...manifest, spec: { ...spec, stock: { ...spec.stock, totalUnits: BUSY_UNITS }, scaling } };
};

interface Pods {
  items: {
    metadata: { name: string; deletionTimestamp?: string };
    spec: { containers: { image: string }[] };
    status: { conditions?: { type: string; status: string }[] };
  }[];
}

type Pod = Awaited<ReturnType<typeof podsOf>>[number];

const podsOf = async (run: Run) => {
  const json = await run.tools().kubectl('-n', NAMESPACE, 'get', 'pods', ...POOL, '-o', 'json');
  return (JSON.parse(json) as Pods).items.map(({ metadata, spec, status }) => ({
    name: metadata.name,
    leaving: metadata.deletionTimestamp !== undefined,
    tag: spec.containers[0]?.image.split(':').at(-1) ?? '',
    ready: (status.conditions ?? []).some(({ type, status: is }) => type === 'Ready' && is === 'True'),
  }));
};

const shown = (pods: readonly Pod[]): string =>
  pods
    .map(({ name, tag, ready, leaving }) => `${name} ${tag} ${leaving ? 'leaving' : ready ? 'ready' : 'new'}`)
    .join('\n');

/** The buyers of every play are others: the seed of its first round. */
const BUSY_SEED = 1_000;
const CALM_SEED = 2_000;

const { namespace, name } = busyManifest().metadata;
const event = { namespace, name };

const open = async (run: Run): Promise<string> => {
  const file = join(run.place.dir, 'busy.json');
  writeFileSync(file, JSON.stringify(busyManifest()));
  await run.tools().kubectl('apply', '-f', file);
  await until('the sale is open', OPEN_TIMEOUT_MS, async () => {
    const { phase = '' } = await readStatus(run.tools(), event);
    return { holds: phase === 'Open', seen: `phase ${phase}` };
  });
  const pods = await until('its pods are ready', OPEN_TIMEOUT_MS, async () => {
    const all = await podsOf(run);
    return { holds: all.filter(({ ready }) => ready).length === FLOOR, seen: shown(all) };
  });
  const url = `${await edgeUrl(run.tools())}/v1/events/${namespace}/${name}`;
  await until('the edge knows its way', OPEN_TIMEOUT_MS, async () => {
    const { status } = await fetch(url);
    return { holds: status === 200, seen: `${url} answers ${status}` };
  });
  return pods;
};

const scaled = (run: Run): Promise<string> =>
  until('more pods than the floor are ready', SCALED_TIMEOUT_MS, async () => {
    const all = await podsOf(run);
    const autoscaler = await run.tools().kubectl('-n', NAMESPACE, 'get', 'hpa', ...POOL);
    return { holds: all.filter(({ ready }) => ready).length > FLOOR, seen: `${autoscaler}${shown(all)}` };
  });

const replaced = async (run: Run, tag: string): Promise<string> => {
  await run.tools().kubectl('-n', namespace, 'annotate', 'ske', name, 'seckill.io/update=now');
  await upgrade(run.tools(), run.place, run.servers(), { tag, poolCpu: '120m' });
  return until('every pod of the sale is a new one', REPLACED_TIMEOUT_MS, async () => {
    const all = await podsOf(run);
    const isNew = all.length >= FLOOR && all.every((pod) => pod.tag === tag && pod.ready && !pod.leaving);
    return { holds: isNew, seen: shown(all) };
  });
};

/** What the buyers of several plays were answered together. */
interface Sold {
  held: number;
  /** Had no definite answer in the end; each may have bought or not. */
  unknown: number;
}

const play = async (
  run: Run,
  sold: Sold,
  seed: number,
  how: { buyers: number; rate: number },
): Promise<LoadOutcome> => {
  const args = Object.entries({ ...how, seed }).flatMap(([option, value]) => [`--${option}`, String(value)]);
  const outcome = await playBuyers(run.tools(), run.place, `${namespace}/${name}`, args);
  sold.held += outcome.answers['held'] ?? 0;
  sold.unknown += outcome.answers['unknown'] ?? 0;
  return outcome;
};

/** Lets buyers come, a play after the other, until something has happened; what happened, and how they fared. */
const playUntil = async (
  happening: Promise<string>,
  playRound: (round: number) => Promise<LoadOutcome>,
): Promise<{ seen: string; plays: LoadOutcome[] }> => {
  let isOver = false;
  const ending = happening.finally(() => {
    isOver = true;
  });
  // Its failure is told below; meanwhile it must not count as one that nobody heeds.
  ending.catch(() => {});
  const plays: LoadOutcome[] = [];
  while (!isOver) plays.push(await playRound(plays.length));
  return { seen: await ending, plays };
};

/** So many buyers that two pods are too busy. How they fare is not the question: this machine is too small for them. */
const scaleByCpu = (run: Run, sold: Sold): Promise<void> =>
  run.steps.step('the autoscaler brings pods beyond the floor, by CPU', async () => {
    const { seen, plays } = await playUntil(scaled(run), (round) =>
      play(run, sold, BUSY_SEED + round, { buyers: BUSY_BUYERS, rate: BUSY_RATE_PER_SECOND }),
    );
    return [seen, ...plays.map(({ answers }) => JSON.stringify(answers))].join('\n');
  });

/**
 * What a pod that works may say on a machine where a dozen processes start: each is an answer of its own, in time, after
 * which the same token is held. A connection that breaks, an answer that the edge lost and an edge without a pod are not.
 */
const BUSY_POD: readonly string[] = [
  'held',
  UNKNOWN_OUTCOME,
  'SECKILL_ERR_LATE' satisfies ErrorCode,
  'SECKILL_ERR_OVERLOADED' satisfies ErrorCode,
];

/** Until every process has been replaced: each attempt is answered by a pod, and each buyer is held in the end. */
const upgradeUnderLoad = (run: Run, sold: Sold, tag: string): Promise<void> =>
  run.steps.step('helm upgrade in an open sale: every pod is replaced, and no attempt fails meanwhile', async () => {
    const how = { buyers: CALM_BUYERS, rate: CALM_RATE_PER_SECOND };
    const { seen, plays } = await playUntil(replaced(run, tag), (round) => play(run, sold, CALM_SEED + round, how));
    const lines = plays.map(({ answers, reasons }) => JSON.stringify({ answers, reasons })).join('\n');
    expectThat(
      plays.every(
        ({ answers, reasons }) =>
          answers['held'] === CALM_BUYERS && Object.keys(reasons).every((reason) => BUSY_POD.includes(reason)),
      ),
      lines,
    );
    return `${seen}\n${lines}`;
  });

/** The node's network enforces no policy, so that a missing rule would show only elsewhere: compared here instead. */
const policiesFit = async (run: Run): Promise<string> => {
  const json = await run.tools().kubectl('get', 'networkpolicies', '-A', '-o', 'json');
  const policies = (JSON.parse(json) as { items: NetworkPolicy[] }).items;
  const seen = run.connections().seen();
  const judged = seen.map((connection) => {
    const stopped = stoppedAt(policies, connection);
    return {
      stopped,
      line: `${described(connection)}${stopped === undefined ? '' : `: no rule of ${stopped} allows it`}`,
    };
  });
  const lines = judged.map(({ line }) => line).toSorted();
  const expected = ['edge → pool:8080', 'edge → operator:8080', `pool → ${NODE_ADDRESS}:6379`];
  const unseen = expected.filter((line) => !lines.some((told) => told.startsWith(line)));
  expectThat(unseen.length === 0, `these connections were not seen: ${unseen.join(', ')}; seen:\n${lines.join('\n')}`);
  expectThat(
    judged.every(({ stopped }) => stopped === undefined),
    lines.join('\n'),
  );
  return lines.join('\n');
};

const leave = async (run: Run): Promise<void> => {
  const { step } = run.steps;
  await step('helm uninstall is refused while a sale is open', async () => {
    const said = await uninstall(run.tools()).then(() => undefined, messageOf);
    expectThat(said !== undefined, 'it was not refused');
    expectThat(said?.includes(`${namespace}/${name}`) === true, `it does not name the sale:\n${said}`);
    return said;
  });
  await step('helm rollback makes the release what it was, without touching a pod of the sale', async () => {
    const before = await podsOf(run);
    const said = await rollBack(run.tools());
    const after = await podsOf(run);
    const sameAs = (pod: Pod) => (one: Pod) => one.name === pod.name && one.tag === pod.tag;
    const strangers = after.filter((pod) => !before.some(sameAs(pod)));
    const serving = after.filter(({ ready, leaving }) => ready && !leaving);
    // What the autoscaler no longer needs it may take away meanwhile; a pod that is replaced has another name.
    const untouched = strangers.length === 0 && serving.length >= FLOOR;
    expectThat(untouched, `before:\n${shown(before)}\nafter:\n${shown(after)}`);
    return said;
  });
  await step('forced, it goes and loses nothing: the event stays', async () => {
    await upgrade(run.tools(), run.place, run.servers(), { tag: 'e2e-next', poolCpu: '120m', forceUninstall: true });
    const said = await uninstall(run.tools());
    return `${said}${await run.tools().kubectl('get', 'ske', '-A')}`;
  });
};

/** With the other major of Helm: the platform comes back, finds the sale, and ends it. */
const comeBack = async (run: Run, sold: Sold): Promise<void> => {
  const { step } = run.steps;
  const { options, place } = run;
  const { kubeconfigFile } = place;
  const helm3 = () => createTools(options, { kubeconfigFile, home: join(place.dir, 'home'), helmMajor: 3 });
  await step('Helm 3 installs it again, and the sale goes on', async () => {
    const said = await install(await helm3(), place, run.servers(), 'e2e-next');
    await until('the sale is open', OPEN_TIMEOUT_MS, async () => {
      const { phase = '' } = await readStatus(run.tools(), event);
      return { holds: phase === 'Open', seen: `phase ${phase}` };
    });
    return said;
  });
  await step('closed by kubectl patch, it is settled, and the six numbers are zero', async () => {
    await run.tools().kubectl('-n', namespace, 'patch', 'ske', name, '--type=merge', '-p', '{"spec":{"closed":true}}');
    const numbers = await settledExactly(run.tools(), event);
    const units = await unitsOrdered(run.servers().mysqlUrl, event);
    const { held, unknown } = sold;
    expectThat(units >= held && units <= held + unknown, `${units} units are ordered, ${held} were told`);
    return `${numbers}, ${units} units are ordered`;
  });
  await step('helm uninstall: nothing of the release stays but what is kept on purpose', async () => {
    const said = await uninstall(await helm3());
    await until('the pods are gone', ENDED_TIMEOUT_MS, async () => {
      const seen = await run.tools().kubectl('-n', NAMESPACE, 'get', 'deployments,pods,services,jobs');
      return { holds: seen.trim() === '', seen };
    });
    return `${said}${RELEASE} is gone`;
  });
};

/** A sale that is open while the platform under it is scaled, upgraded, taken away and brought back. */
export const busySale = async (run: Run, nextTag: string): Promise<void> => {
  await run.steps.step('an event whose start has passed opens at once', () => open(run));
  const sold: Sold = { held: 0, unknown: 0 };
  await scaleByCpu(run, sold);
  await upgradeUnderLoad(run, sold, nextTag);
  await run.steps.step('every connection that was seen is one that the NetworkPolicies allow', () => policiesFit(run));
  await leave(run);
  await comeBack(run, sold);
};
