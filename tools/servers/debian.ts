import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedFolder } from './cache.ts';
import { findProgram, isExecutable, runCommand } from './command.ts';
import { setupError } from './errors.ts';
import { APT_TIMEOUT_MS } from './limits.ts';
import { withProgress } from './progress.ts';
import { retried } from './retried.ts';

/**
 * Programs from the machine's own Debian sources, unpacked into the user's cache.
 * Installing the packages would need root, and would enable and start services on their default ports; unpacking them
 * changes nothing outside the cache. apt keeps its lists in a folder of ours too: the system's may be missing or old.
 */
export interface DebianParts {
  root: string;
  /** What its programs need in their environment: where the libraries are that came along. */
  env: { LD_LIBRARY_PATH: string };
  /** The absolute path of a program; throws a sentence when somebody removed it. */
  program: (path: string) => string;
  /** The version of the software in a package, without Debian's own parts. */
  versionOf: (name: string) => string;
}

interface DebianOptions {
  cacheFolder: string;
  searchPath: readonly string[];
  report: (line: string) => void;
}

/** Packages that are fetched and unpacked together. */
export interface DebianSet {
  /** Begins the name of its folder in the cache; the set that was there first has none. */
  label?: string;
  /** What they are, for people: `Redis, MariaDB and nginx`. */
  what: string;
  /** About how much is fetched. */
  size: string;
  packages: readonly string[];
  /** Libraries that a Debian machine seldom has. Releases name some of them differently, hence the alternatives. */
  libraries: readonly string[];
  /** What the loader is asked about, to find the libraries that are still missing. */
  programs: readonly string[];
  /** Ends a sentence: what to do where Debian's packages cannot be had. */
  instead: string;
}

const serverPackages = [
  'redis-server',
  'redis-tools',
  'mariadb-server-core',
  'mariadb-client-core',
  'mariadb-common',
  'nginx',
  'nginx-common',
  'libnginx-mod-http-lua',
  'libnginx-mod-http-ndk',
  'lua-resty-core',
  'lua-resty-lrucache',
];

const libraryPackages = [
  'libluajit2-5.1-2',
  'libluajit-5.1-2',
  'libjemalloc2',
  'liblzf1',
  'libatomic1',
  'libaio1',
  'libaio1t64',
  'liburing2',
  'libmariadb3',
  'libpcre3',
];

/** Libraries that nearly every machine has; fetched only when the loader misses one. Never libc6: it must match. */
const packageOfLibrary: Record<string, string> = {
  'libcap.so.2': 'libcap2',
  'libcrypt.so.1': 'libcrypt1',
  'libcrypto.so.3': 'libssl3',
  'libgcc_s.so.1': 'libgcc-s1',
  'libgcrypt.so.20': 'libgcrypt20',
  'libgpg-error.so.0': 'libgpg-error0',
  'libip4tc.so.2': 'libip4tc2',
  'libip6tc.so.2': 'libip6tc2',
  'liblz4.so.1': 'liblz4-1',
  'liblzma.so.5': 'liblzma5',
  'libmnl.so.0': 'libmnl0',
  'libnetfilter_conntrack.so.3': 'libnetfilter-conntrack3',
  'libnfnetlink.so.0': 'libnfnetlink0',
  'libnftnl.so.11': 'libnftnl11',
  'libnuma.so.1': 'libnuma1',
  'libpcre2-8.so.0': 'libpcre2-8-0',
  'libseccomp.so.2': 'libseccomp2',
  'libssl.so.3': 'libssl3',
  'libstdc++.so.6': 'libstdc++6',
  'libsystemd.so.0': 'libsystemd0',
  'libxtables.so.12': 'libxtables12',
  'libz.so.1': 'zlib1g',
  'libzstd.so.1': 'libzstd1',
};

/** The servers of the platform on one machine. */
export const serverSet: DebianSet = {
  what: 'Redis, MariaDB and nginx',
  size: '20 MB',
  packages: serverPackages,
  libraries: libraryPackages,
  programs: [
    'usr/bin/redis-server',
    'usr/sbin/mariadbd',
    'usr/bin/my_print_defaults',
    'usr/sbin/nginx',
    'usr/lib/nginx/modules/ngx_http_lua_module.so',
  ],
  instead:
    'install Redis 7 or later, MariaDB 10.6 or later (or MySQL 8) and nginx with lua-nginx-module (OpenResty), so that ' +
    'they are on PATH, or name servers that run by SECKILL_REDIS_URL and SECKILL_MYSQL_URL.',
};

const multiarch = (): string => (process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu');

const libraryPathOf = (root: string): string =>
  [join(root, 'usr/lib', multiarch()), join(root, 'lib', multiarch())].join(':');

const releaseName = (): string => {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return `${field('ID') || 'unknown'}-${field('VERSION_ID') || 'rolling'}`;
};

const cacheName = (set: DebianSet): string => {
  const key = createHash('sha256').update(JSON.stringify([set.packages, set.libraries]));
  const label = set.label === undefined ? '' : `${set.label}-`;
  return `${label}${releaseName()}-${process.arch}-${key.digest('hex').slice(0, 8)}`;
};

/**
 * An apt configuration of our own. The hooks are cleared because those of the system act on the system (some remove
 * its package caches); as root apt would otherwise want to become `_apt`, which cannot enter the user's folder.
 */
const aptConfiguration = (state: string): string => `
Dir::State "${state}/state";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "${state}/cache";
Debug::NoLocking "1";
APT::Sandbox::User "root";
Acquire::Languages "none";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
`;

interface Apt {
  run: (program: string, args: readonly string[], cwd?: string) => ReturnType<typeof runCommand>;
}

const createApt = async (folder: string): Promise<Apt> => {
  const state = join(folder, 'apt');
  await mkdir(join(state, 'state/lists/partial'), { recursive: true });
  await mkdir(join(state, 'cache/archives/partial'), { recursive: true });
  const configuration = join(state, 'apt.conf');
  await writeFile(configuration, aptConfiguration(state));
  return {
    run: (program, args, cwd) =>
      runCommand(program, ['-q', '-c', configuration, ...args], {
        timeoutMs: APT_TIMEOUT_MS,
        ...(cwd === undefined ? {} : { cwd }),
      }),
  };
};

/** Those of the names that this machine's sources offer. */
const offered = async (apt: Apt, names: readonly string[]): Promise<string[]> => {
  const { stdout } = await apt.run('apt-cache', ['show', '--no-all-versions', ...names]);
  const known = new Set([...stdout.matchAll(/^Package: (\S+)$/gm)].map((match) => match[1]));
  return names.filter((name) => known.has(name));
};

/** Downloads packages and unpacks them under `root`. Answers their versions, which the file names tell. */
const unpack = async (apt: Apt, folder: string, names: readonly string[]): Promise<Record<string, string>> => {
  const downloads = join(folder, 'downloads');
  await mkdir(downloads, { recursive: true });
  const fetched = await apt.run('apt-get', ['download', ...names], downloads);
  if (fetched.code !== 0) {
    throw setupError(`The Debian packages could not be downloaded: ${fetched.stderr.trim() || fetched.stdout.trim()}`);
  }
  const versions: Record<string, string> = {};
  for (const file of (await readdir(downloads)).filter((name) => name.endsWith('.deb'))) {
    const unpacked = await runCommand('dpkg', ['-x', join(downloads, file), join(folder, 'root')]);
    if (unpacked.code !== 0) throw setupError(`${file} could not be unpacked: ${unpacked.stderr.trim()}`);
    const [name = file, version = ''] = file.split('_');
    versions[name] = decodeURIComponent(version);
  }
  await rm(downloads, { recursive: true });
  return versions;
};

const missingLibraries = async (root: string, programs: readonly string[]): Promise<string[]> => {
  const env = { LD_LIBRARY_PATH: libraryPathOf(root), PATH: '/usr/bin:/bin' };
  const answers = await Promise.all(programs.map((program) => runCommand('ldd', [join(root, program)], { env })));
  const missing = answers.flatMap(({ stdout }) => [...stdout.matchAll(/^\s*(\S+) => not found$/gm)]);
  return [...new Set(missing.map((match) => match[1] ?? ''))];
};

const completeLibraries = async (
  apt: Apt,
  folder: string,
  set: DebianSet,
  versions: Record<string, string>,
): Promise<void> => {
  const root = join(folder, 'root');
  const missing = await missingLibraries(root, set.programs);
  const wanted = [...new Set(missing.map((library) => packageOfLibrary[library] ?? ''))].filter((name) => name !== '');
  if (wanted.length > 0) Object.assign(versions, await unpack(apt, folder, await offered(apt, wanted)));
  const still = await missingLibraries(root, set.programs);
  if (still.length === 0) return;
  throw setupError(
    `The unpacked programs miss ${still.join(', ')}: install the packages that hold them (apt-file search NAME), or ` +
      set.instead,
  );
};

const fill = async (folder: string, set: DebianSet): Promise<void> => {
  const apt = await createApt(folder);
  const updated = await apt.run('apt-get', ['update']);
  const packages = await offered(apt, set.packages);
  const absent = set.packages.filter((name) => !packages.includes(name));
  if (absent.length > 0) {
    const why = updated.stderr.trim().split('\n').at(-1) ?? '';
    throw setupError(
      `apt does not offer ${absent.join(', ')}${why === '' ? '' : ` (${why})`}: check the network and apt's sources, ` +
        `or ${set.instead}`,
    );
  }
  const versions = await unpack(apt, folder, [...packages, ...(await offered(apt, set.libraries))]);
  await completeLibraries(apt, folder, set, versions);
  await rm(join(folder, 'apt'), { recursive: true });
  await writeFile(join(folder, 'versions.json'), `${JSON.stringify(versions, null, 2)}\n`);
};

/** The unpacked packages, fetched when they are not there yet. Throws a sentence when this machine cannot have them. */
export const debianParts = async (options: DebianOptions, set: DebianSet): Promise<DebianParts> => {
  const name = cacheName(set);
  if (!existsSync(join(options.cacheFolder, name))) {
    const lacking = ['apt-get', 'dpkg', 'ldd'].filter((tool) => findProgram(tool, options.searchPath) === undefined);
    if (lacking.length > 0) {
      throw setupError(
        `${set.what} are not all on PATH, and this machine has no ${lacking.join(', ')} to fetch them with: ` +
          set.instead,
      );
    }
  }
  const folder = await cachedFolder(options.cacheFolder, name, (partial) =>
    withProgress(
      options.report,
      `fetching ${set.what} from Debian`,
      `once, about ${set.size} into your cache; nothing is installed`,
      () => retried(options.report, `fetching ${set.what}`, () => fill(partial, set)),
    ),
  );
  const root = join(folder, 'root');
  const versions = JSON.parse(readFileSync(join(folder, 'versions.json'), 'utf8')) as Record<string, string>;
  return {
    root,
    env: { LD_LIBRARY_PATH: libraryPathOf(root) },
    program: (path) => {
      const program = join(root, path);
      if (isExecutable(program)) return program;
      throw setupError(`${program} is gone: remove the folder ${folder}, so that it is fetched again.`);
    },
    versionOf: (name) => /^(?:\d+:)?([\d.]+)/.exec(versions[name] ?? '')?.[1] ?? '',
  };
};
