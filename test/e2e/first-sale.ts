import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LOAD_RETRIES_MAX } from '../../cli/load/limits.ts';
import { type Tools, until } from './commands.ts';
import { BUYERS, PODS_GONE_TIMEOUT_MS } from './limits.ts';
import { type LoadOutcome, NAMESPACE, playBuyers, RELEASE } from './platform.ts';
import { expectThat, type Run, settledExactly, unitsOrdered } from './run.ts';
import { type SaleOfRun, saleSoon } from './sale.ts';

interface Deployments {
  items: { status: { readyReplicas?: number } }[];
}

const POOL = ['-l', 'app.kubernetes.io/component=pool'];

const readyPods = async (tools: Tools): Promise<number> => {
  const json = await tools.kubectl('-n', NAMESPACE, 'get', 'deployments', ...POOL, '-o', 'json');
  return (JSON.parse(json) as Deployments).items.reduce((sum, { status }) => sum + (status.readyReplicas ?? 0), 0);
};

const beforeIt = async (run: Run, sale: SaleOfRun): Promise<void> => {
  const { namespace, name, startMs, openReplicas } = sale;
  const leadSeconds = () => ((startMs - Date.now()) / 1_000).toFixed(1);
  await run.steps.step('kubectl wait: the event is armed before it opens', async () => {
    const condition = [
      '--for=condition=Armed',
      `ske/${name}`,
      `--timeout=${Math.ceil((startMs - Date.now()) / 1_000)}s`,
    ];
    const said = await run.tools().kubectl('-n', namespace, 'wait', ...condition);
    expectThat(Date.now() < startMs, 'it was armed only after the opening second');
    return `${said}${leadSeconds()} s before the start`;
  });
  await run.steps.step('the pods of the opening second are Ready before it', async () => {
    const seen = await until('the pods are Ready', startMs - Date.now(), async () => {
      const ready = await readyPods(run.tools());
      return { holds: ready >= openReplicas, seen: `${ready} of ${openReplicas} pods are Ready` };
    });
    return `${seen}, ${leadSeconds()} s before the start`;
  });
  await run.steps.step('the pool is what the plan says', async () => {
    const kinds = 'configmaps,deployments,services,hpa,pdb,networkpolicies';
    const table = await run.tools().kubectl('-n', NAMESPACE, 'get', kinds, ...POOL);
    return `${table}${await run.tools().kubectl('-n', NAMESPACE, 'get', 'deployments,services,hpa,pdb', ...POOL, '-o', 'yaml')}`;
  });
};

const afterIt = async (run: Run, sale: SaleOfRun, outcome: () => LoadOutcome | undefined): Promise<void> => {
  const { step } = run.steps;
  const { namespace, name } = sale;
  await step('the sale is settled after its end, and the six numbers are zero', () =>
    settledExactly(run.tools(), sale),
  );
  await step('kubectl describe tells its story', async () => {
    const said = await run.tools().kubectl('-n', namespace, 'describe', 'ske', name);
    const phases = ['Scheduled', 'Preheating', 'Armed', 'Open', 'SoldOut', 'Closing', 'Settled'];
    const told = phases.filter((phase) => new RegExp(`Normal\\s+${phase}\\s`).test(said));
    expectThat(
      told.length === phases.length,
      `of the phases ${phases.join(', ')} it tells ${told.join(', ')}:\n${said}`,
    );
    return said.slice(said.indexOf('Status:'));
  });
  await step('every unit that a buyer was told of is an order in the database', async () => {
    const units = await unitsOrdered(run.servers().mysqlUrl, sale);
    expectThat(units === outcome()?.answers['held'], `${units} units are ordered`);
    return `${units} units are ordered`;
  });
  await Promise.all([
    step('the command line in the pod of an operator audits the sale, and finds nothing to object to', async () => {
      const inPod = ['-n', NAMESPACE, 'exec', `deploy/${RELEASE}-operator`, '--', 'node', 'cli/main.ts'];
      const audit = await run.tools().kubectl(...inPod, 'audit', '--from-env', `${namespace}/${name}`);
      return `${audit}${await run.tools().kubectl(...inPod, 'preflight')}`;
    }),
    step('the pods are gone after the drain', async () => {
      await until('the pods are gone', PODS_GONE_TIMEOUT_MS, async () => {
        const seen = await run.tools().kubectl('-n', NAMESPACE, 'get', 'pods', ...POOL);
        return { holds: seen.trim() === '', seen };
      });
      for (const watch of run.watches.values()) watch.end();
      return [...run.watches].map(([what, watch]) => [`kubectl ${what}`, ...watch.lines()].join('\n')).join('\n');
    }),
  ]);
};

/** The shipped example from `kubectl apply` to its end: what the platform is for. It opens after `leadSeconds`. */
export const firstSale = async (run: Run, leadSeconds: number): Promise<void> => {
  const { step } = run.steps;
  // The times count from here; the steps before took what they took.
  const sale = saleSoon(Date.now(), leadSeconds);
  const { namespace, name, totalUnits } = sale;
  let outcome: LoadOutcome | undefined;
  await step('kubectl apply: the event is accepted', async () => {
    const file = join(run.place.dir, 'event.json');
    writeFileSync(file, JSON.stringify(sale.manifest));
    await run.tools().kubectl('create', 'namespace', namespace);
    run.watches.set('get ske -w', run.tools().watch('-n', namespace, 'get', 'ske', '-w'));
    run.watches.set('get deployments -w', run.tools().watch('-n', NAMESPACE, 'get', 'deployments', '-w'));
    return run.tools().kubectl('apply', '-f', file);
  });
  await beforeIt(run, sale);
  await step(`${BUYERS} buyers come in the opening second through the edge; each has a definite answer`, async () => {
    // Who is told to come again does, until the last unit is sold.
    const how = ['--buyers', String(BUYERS), '--at-start', '--retries', String(LOAD_RETRIES_MAX)];
    outcome = await playBuyers(run.tools(), run.place, `${namespace}/${name}`, how);
    const { answers } = outcome;
    expectThat(answers['held'] === totalUnits, `${answers['held']} units were sold, of ${totalUnits}`);
    return JSON.stringify(answers);
  });
  await afterIt(run, sale, () => outcome);
};
