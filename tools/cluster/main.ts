import { resolve } from 'node:path';
import { Command } from 'commander';
import { messageOf } from '../servers/errors.ts';
import { serverOptions } from '../servers/options.ts';
import { clusterStatus, importImage, startCluster, stopCluster } from './cluster.ts';
import { CLUSTER_NAME, clusterPlace } from './place.ts';

const options = serverOptions(process.env);
const print = (line: string) => process.stdout.write(`${line}\n`);

const failing = async (work: () => Promise<void>): Promise<void> => {
  try {
    await work();
  } catch (error) {
    process.stderr.write(`seckill: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
};

const program = new Command('npm run -s cluster --')
  .description('A real Kubernetes of one node on this machine, for development and tests. Linux, root.')
  .addHelpText(
    'after',
    `
It lives in namespaces of its own: no daemon, no rule and no file of it is outside of them and of your cache folder.
kubectl, helm and the browser reach pods and services from this machine; pods do not reach this machine.

Exit codes: 0 done (status: the node is Ready), 1 not.

Example: npm run -s cluster -- up && export KUBECONFIG=$(npm run -s cluster -- kubeconfig)`,
  );

program
  .command('up')
  .description('start it, or do nothing when it runs')
  .action(() =>
    failing(async () => {
      const { kubeconfigFile } = await startCluster(options);
      print(`export KUBECONFIG=${kubeconfigFile}`);
    }),
  );

program
  .command('down')
  .description('end it with everything in it, and remove what it made')
  .action(() => failing(() => stopCluster(options)));

program
  .command('status')
  .description('say what runs')
  .action(() =>
    failing(async () => {
      const { pid, processes, ready } = await clusterStatus(options);
      if (pid === undefined) print(processes === 0 ? 'down' : `broken: ${processes} processes are left, run down`);
      else print(`${ready ? 'ready' : 'not ready'}: ${processes} processes, in the namespaces of pid ${pid}`);
      if (!ready) process.exitCode = 1;
    }),
  );

program
  .command('load')
  .argument('<file>', 'a tar file: npm run image, or docker save')
  .description('import an image into the node')
  .action((file: string) => failing(() => importImage(options, resolve(file))));

program
  .command('kubeconfig')
  .description(`print the path of the file that leads to ${CLUSTER_NAME}`)
  .action(() =>
    failing(async () => {
      print(clusterPlace(options.cacheFolder()).kubeconfigFile);
    }),
  );

await program.parseAsync();
