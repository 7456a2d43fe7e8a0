import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface PackageFile {
  scripts: Record<string, string>;
  scriptsDoc: Record<string, string>;
}

const { scripts, scriptsDoc } = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8'),
) as PackageFile;

const undocumented = Object.keys(scripts).filter((name) => !scriptsDoc[name]?.trim());
const stale = Object.keys(scriptsDoc).filter((name) => scripts[name] === undefined);
const width = Math.max(...Object.keys(scripts).map((name) => name.length));
for (const name of Object.keys(scripts)) {
  process.stdout.write(`npm run ${name.padEnd(width)}  ${scriptsDoc[name] ?? ''}\n`);
}
for (const name of undocumented) {
  process.stderr.write(`seckill: the script ${name} has no sentence in package.json's scriptsDoc.\n`);
}
for (const name of stale) {
  process.stderr.write(`seckill: scriptsDoc describes ${name}, which is no script.\n`);
}
process.exitCode = undocumented.length + stale.length > 0 ? 1 : 0;
