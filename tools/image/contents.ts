import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folders that a process of the platform may import from, and what `cli` needs of the tools. */
export const RUNTIME_FOLDERS = ['cli', 'ledger', 'lua', 'operator', 'services', 'tools/servers'] as const;

/** In an image these only take room: types, source maps, and what is written for people. */
export const LEFT_OUT = /\.(?:map|md|markdown|d\.[cm]?ts)$/i;

/** What is started by naming it as the arguments of the image, each relative to its working folder. */
export const ENTRY_POINTS = [
  'operator/main.ts',
  'services/seckill/main.ts',
  'services/relay/main.ts',
  'services/order/main.ts',
  'services/edge/main.ts',
  'cli/main.ts',
] as const;

export const NGINX = {
  program: '/usr/sbin/nginx',
  modules: '/usr/lib/nginx/modules',
  lua: '/usr/share/lua/5.1',
} as const;

export const NODE_PROGRAM = '/usr/local/bin/node';
export const APP_FOLDER = '/app';
/** Kubernetes checks that an image does not run as root by its number; a name would tell it nothing. */
export const USER_ID = 1000;

const root = join(import.meta.dirname, '../..');

interface PackageFile {
  name: string;
  version: string;
  description: string;
  license: string;
}

/** What a registry and `docker inspect` show of the image. */
const labelsOf = (version: string): Record<string, string> => {
  const { name, description, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as PackageFile;
  return {
    'org.opencontainers.image.title': name,
    'org.opencontainers.image.description': description,
    'org.opencontainers.image.licenses': license,
    'org.opencontainers.image.version': version,
  };
};

/** How the image runs; what the Dockerfile says in its own words. */
export const imageConfig = (version: string) => ({
  User: `${USER_ID}:${USER_ID}`,
  WorkingDir: APP_FOLDER,
  Entrypoint: [NODE_PROGRAM],
  Cmd: ['cli/main.ts', '--help'],
  Env: [
    'PATH=/usr/local/bin:/usr/sbin:/usr/bin',
    'NODE_ENV=production',
    'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt',
    `SECKILL_NGINX=${NGINX.program}`,
    `SECKILL_NGINX_MODULES=${NGINX.modules}`,
    `SECKILL_NGINX_LUA_PATH=${NGINX.lua}/?.lua;;`,
  ],
  Labels: labelsOf(version),
});
