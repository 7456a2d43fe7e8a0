import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findProgram, runCommand } from './command.ts';
import { setupError } from './errors.ts';
import type { ServerOptions } from './options.ts';

const LEAST_MAJOR = 17;

const remedy =
  `install Java ${LEAST_MAJOR} or later (Debian: 'apt install openjdk-17-jre-headless'), ` +
  'or name a running Kafka by SECKILL_KAFKA_BROKERS.';

/** The `release` file beside the program tells the version without starting a JVM. */
const majorOf = async (java: string): Promise<number> => {
  const release = join(dirname(dirname(realpathSync(java))), 'release');
  const told = existsSync(release) ? /^JAVA_VERSION="(\d+)/m.exec(readFileSync(release, 'utf8'))?.[1] : undefined;
  if (told !== undefined) return Number(told);
  const { stderr } = await runCommand(java, ['-version']);
  return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
};

/** The `java` of JAVA_HOME or PATH. Throws a sentence when there is none, or only one that is too old. */
export const findJava = async (options: ServerOptions): Promise<string> => {
  const { javaHome, searchPath } = options;
  const java = findProgram('java', javaHome === undefined ? searchPath : [join(javaHome, 'bin'), ...searchPath]);
  if (java === undefined) throw setupError(`Kafka needs Java, and there is none on PATH: ${remedy}`);
  const major = await majorOf(java);
  if (major >= LEAST_MAJOR) return java;
  throw setupError(`Kafka needs Java ${LEAST_MAJOR}, and ${java} is version ${major}: ${remedy}`);
};
