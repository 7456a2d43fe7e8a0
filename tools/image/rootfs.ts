import { join } from 'node:path';
import { messageOf } from '../servers/errors.ts';
import { fillPackages, fillSources } from './app-layer.ts';
import { fillSystem } from './system-layer.ts';

// The Dockerfile's second step: fills OUT/base and OUT/app from what is installed where it runs.
const [out, nodeModules] = process.argv.slice(2);
const repository = join(import.meta.dirname, '../..');

if (out === undefined || nodeModules === undefined) {
  process.stderr.write('usage: node tools/image/rootfs.ts OUT NODE_MODULES\n');
  process.exitCode = 2;
} else {
  try {
    await fillSystem(join(out, 'base'), { node: process.execPath, debianRoot: '/', libraryPath: '' });
    await fillPackages(join(out, 'base'), nodeModules);
    await fillSources(join(out, 'app'), repository);
  } catch (error) {
    process.stderr.write(`seckill: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}
