import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { messageOf } from '../servers/errors.ts';
import { serverOptions } from '../servers/options.ts';
import { buildImage } from './build.ts';

const program = new Command('npm run -s image --')
  .description('Builds the image of the platform as a tar file, without Docker.')
  .option('--name <name>', 'what it is called, without the tag', 'registry.local/seckill')
  .option('--tag <tag>', 'its tag', 'dev')
  .option('--out <file>', 'the file to write', '.seckill/image.tar')
  .addHelpText(
    'after',
    `
With Docker: docker build -t seckill:dev . makes the same.
Into a cluster: ctr --namespace k8s.io images import FILE, or docker load --input FILE.

Exit codes: 0 written, 1 not written.

Example: npm run -s image -- --tag v1 --out seckill-v1.tar`,
  )
  .parse();

const { name, tag, out } = program.opts<{ name: string; tag: string; out: string }>();
try {
  await buildImage(serverOptions(process.env), { name, tags: [tag], outFile: out });
  process.stdout.write(`${name}:${tag} ${resolve(out)} ${(statSync(out).size / 1e6).toFixed(0)} MB\n`);
} catch (error) {
  process.stderr.write(`seckill: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
