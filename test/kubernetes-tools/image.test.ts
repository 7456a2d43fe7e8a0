import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildImage } from '../../tools/image/build.ts';
import {
  APP_FOLDER,
  ENTRY_POINTS,
  imageConfig,
  NGINX,
  NODE_PROGRAM,
  RUNTIME_FOLDERS,
} from '../../tools/image/contents.ts';
import { IMAGE_MAX_BYTES, NPM_CI_TIMEOUT_MS } from '../../tools/image/limits.ts';
import { runCommand } from '../../tools/servers/command.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { tempDir } from '../support/temp-dir.ts';

const folder = tempDir();
const file = join(folder, 'image.tar');
const root = join(folder, 'root');
const repository = join(import.meta.dirname, '../..');

interface Manifest {
  Config: string;
  RepoTags: string[];
  Layers: string[];
}

interface Config {
  config: ReturnType<typeof imageConfig>;
  rootfs: { diff_ids: string[] };
}

let manifest: Manifest;
let next: Manifest;
let config: Config;
/** What the layers hold: name → mode and owner as tar shows them. */
const entries = new Map<string, { mode: string; owner: string }>();

const tar = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await runCommand('tar', args, { timeoutMs: 60_000 });
  expect(code, stderr).toBe(0);
  return stdout;
};

beforeAll(async () => {
  await buildImage(serverOptions(process.env), {
    name: 'registry.local/seckill',
    tags: ['test', 'next'],
    outFile: file,
  });
  await tar('-xf', file, '-C', folder);
  [manifest, next] = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as [Manifest, Manifest];
  config = JSON.parse(readFileSync(join(folder, manifest.Config), 'utf8')) as Config;
  mkdirSync(root);
  for (const layer of manifest.Layers) {
    for (const line of (await tar('-tvf', join(folder, layer))).trim().split('\n')) {
      const [mode = '', owner = '', , , , name = ''] = line.split(/\s+/);
      entries.set(name.replace(/^\./, '').replace(/\/$/, ''), { mode, owner });
    }
    await tar('-xf', join(folder, layer), '-C', root);
  }
}, NPM_CI_TIMEOUT_MS);

/** Runs a program of the image with its own loader and libraries, so that none of this machine's can help out. */
const run = (program: string, args: readonly string[], env: Record<string, string> = {}) => {
  const libraries = [`usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`, 'usr/lib'];
  const loader = process.arch === 'arm64' ? 'usr/lib/ld-linux-aarch64.so.1' : 'usr/lib64/ld-linux-x86-64.so.2';
  const path = libraries.map((library) => join(root, library)).join(':');
  return runCommand(join(root, loader), ['--library-path', path, join(root, program), ...args], {
    cwd: join(root, APP_FOLDER),
    env,
    timeoutMs: 60_000,
  });
};

test('The image is called as asked, runs as nobody special, and is small', () => {
  expect(manifest.RepoTags).toEqual(['registry.local/seckill:test']);
  expect(config.config).toEqual(imageConfig('test'));
  expect(config.config.User).toBe('1000:1000');
  expect(config.rootfs.diff_ids).toEqual(manifest.Layers.map((layer) => `sha256:${layer.replace('.tar', '')}`));
  expect(statSync(file).size).toBeLessThan(IMAGE_MAX_BYTES);
});

test('Under a second tag the archive has it once more, of the same layers and with a version of its own', () => {
  expect(next.RepoTags).toEqual(['registry.local/seckill:next']);
  expect(next.Layers).toEqual(manifest.Layers);
  const { config: told, rootfs } = JSON.parse(readFileSync(join(folder, next.Config), 'utf8')) as Config;
  expect(told).toEqual(imageConfig('next'));
  expect(rootfs).toEqual(config.rootfs);
});

test('It holds what the platform runs, and neither a shell nor the packages of development', () => {
  const { devDependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  for (const entry of ENTRY_POINTS) expect(entries.has(`${APP_FOLDER}/${entry}`), entry).toBe(true);
  // Some are there because a package of production needs them too.
  const shared = ['@types/node'];
  for (const name of Object.keys(devDependencies).filter((dependency) => !shared.includes(dependency))) {
    expect(entries.has(`${APP_FOLDER}/node_modules/${name}`), name).toBe(false);
  }
  const names = [...entries.keys()];
  expect(names.filter((name) => /\/(?:sh|bash|dash|busybox|apt|dpkg|npm)$/.test(name))).toEqual([]);
  expect(names.filter((name) => name.startsWith('/app/test'))).toEqual([]);
  expect(names.filter((name) => /\.(?:map|d\.ts)$/.test(name))).toEqual([]);
});

test('Its files belong to root and nobody else may write them, except in /tmp', () => {
  const writable = [...entries].filter(([, { mode }]) => !mode.startsWith('l') && (mode[5] === 'w' || mode[8] === 'w'));
  expect(writable.map(([name]) => name)).toEqual(['/tmp']);
  expect(new Set([...entries.values()].map(({ owner }) => owner))).toEqual(new Set(['0/0']));
  expect([...entries].filter(([, { mode }]) => /s/i.test(`${mode[3]}${mode[6]}`))).toEqual([]);
});

test('Node and nginx with Lua run with the libraries of the image alone', async () => {
  const node = await run(NODE_PROGRAM, ['-p', 'process.versions.node']);
  expect(node.stdout.trim(), node.stderr).toBe(process.versions.node);
  const conf = join(folder, 'nginx.conf');
  writeFileSync(
    conf,
    `${['ndk_http_module', 'ngx_http_lua_module'].map((name) => `load_module "${root}${NGINX.modules}/${name}.so";`).join('\n')}
    pid "${folder}/nginx.pid";
    events {}
    http {
      access_log off;
      ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path "${folder}/${kind}";`).join(' ')}
      lua_package_path "${root}${NGINX.lua}/?.lua;;";
      init_by_lua_block { require "ngx.balancer" }
    }`,
  );
  const nginx = await run(NGINX.program, ['-t', '-p', folder, '-e', join(folder, 'error.log'), '-c', conf]);
  expect(nginx.stderr).toContain('test is successful');
});

describe('every entry point', () => {
  test.each(ENTRY_POINTS)('%s finds all it imports', async (entry) => {
    // Without its settings it ends at once, and says which one is missing; an import that fails would end it before.
    const { stdout, stderr } = await run(NODE_PROGRAM, [entry]);
    expect(`${stdout}${stderr}`).not.toMatch(/ERR_MODULE_NOT_FOUND|Cannot find|SyntaxError/);
    expect(`${stdout}${stderr}`).toMatch(/SECKILL_|Usage: seckill/);
  });
});

describe('the Dockerfile', () => {
  const dockerfile = readFileSync(join(repository, 'Dockerfile'), 'utf8');

  test('It names a base of an exact version and runs the same Node as here', () => {
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map((match) => match[1]);
    expect(bases).toEqual([`node:${process.versions.node}-bookworm-slim`, 'scratch']);
  });

  test('It says of the image what the other way of building says', () => {
    const { User, WorkingDir, Entrypoint, Cmd, Env, Labels } = imageConfig('$VERSION');
    const said = dockerfile.replaceAll('\\\n', ' ').replaceAll('"', '');
    const asWritten = (list: readonly string[]) => `[${list.join(', ')}]`;
    expect(said).toContain(`USER ${User}\nWORKDIR ${WorkingDir}\n`);
    expect(said).toContain(`ENTRYPOINT ${asWritten(Entrypoint)}\nCMD ${asWritten(Cmd)}\n`);
    for (const setting of Env) expect(said).toContain(setting);
    for (const [name, value] of Object.entries(Labels)) expect(said).toContain(`${name}=${value}`);
  });

  test('Its context holds every folder of the image', () => {
    const sent = readFileSync(join(repository, '.dockerignore'), 'utf8').split('\n');
    for (const folderName of [...RUNTIME_FOLDERS, 'tools/image']) expect(sent).toContain(`!${folderName}`);
  });
});
