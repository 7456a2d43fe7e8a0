import { chmod, copyFile, cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { runCommand } from '../servers/command.ts';
import { setupError } from '../servers/errors.ts';
import { NGINX, NODE_PROGRAM, USER_ID } from './contents.ts';

export interface SystemParts {
  /** The program that runs the platform: a Node of this machine's kind. */
  node: string;
  /** Where Debian's nginx with Lua is unpacked; `/` where it is installed. */
  debianRoot: string;
  /** Where the loader finds the libraries that came along; empty where they are installed. */
  libraryPath: string;
}

const inRoot = (root: string, path: string): string => join(root, path);

/** Debian keeps `/lib` as a link to `/usr/lib`; a library named by either is the same file. */
const placeOf = (library: string, debianRoot: string): string => {
  const path = debianRoot !== '/' && library.startsWith(`${debianRoot}/`) ? library.slice(debianRoot.length) : library;
  return path.replace(/^\/lib/, '/usr/lib');
};

/** The absolute paths of the libraries that the loader takes for a program, the loader included. */
const librariesOf = async (program: string, libraryPath: string): Promise<string[]> => {
  const env = { PATH: '/usr/bin:/bin', ...(libraryPath === '' ? {} : { LD_LIBRARY_PATH: libraryPath }) };
  const { code, stdout, stderr } = await runCommand('ldd', [program], { env });
  const missing = [...stdout.matchAll(/^\s*(\S+) => not found$/gm)].map((match) => match[1]);
  if (code !== 0 || missing.length > 0) {
    throw setupError(`The libraries of ${program} were not found: ${missing.join(', ') || stderr.trim()}`);
  }
  return [...stdout.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].map((match) => match[1] ?? '');
};

const install = async (root: string, from: string, path: string): Promise<void> => {
  const target = inRoot(root, path);
  await mkdir(dirname(target), { recursive: true });
  await copyFile(from, target);
  await chmod(target, 0o755);
};

const accounts = (): [string, string][] => [
  ['/etc/passwd', `root:x:0:0:root:/:/sbin/nologin\nseckill:x:${USER_ID}:${USER_ID}::/tmp:/sbin/nologin\n`],
  ['/etc/group', `root:x:0:\nseckill:x:${USER_ID}:\n`],
  ['/etc/nsswitch.conf', 'hosts: files dns\n'],
  // Node brings the authorities of browsers along; this file is for everything that is not Node.
  ['/etc/ssl/certs/ca-certificates.crt', `${rootCertificates.join('\n')}\n`],
];

/**
 * Fills an empty folder with the part of the image that changes seldom: Node, nginx with Lua, the libraries of both and
 * the few files that they read. No shell, no package manager: there is nothing in it to run but those two.
 */
export const fillSystem = async (root: string, parts: SystemParts): Promise<void> => {
  for (const [path, text] of accounts()) {
    await mkdir(dirname(inRoot(root, path)), { recursive: true });
    await writeFile(inRoot(root, path), text);
  }
  await mkdir(inRoot(root, '/usr/lib'), { recursive: true });
  await mkdir(inRoot(root, '/usr/lib64'), { recursive: true });
  await symlink('usr/lib', inRoot(root, '/lib'));
  await symlink('usr/lib64', inRoot(root, '/lib64'));
  await mkdir(inRoot(root, '/tmp'));
  await chmod(inRoot(root, '/tmp'), 0o1777);

  const debian = (path: string) => join(parts.debianRoot, path);
  const modules = ['ndk_http_module.so', 'ngx_http_lua_module.so'].map((name) => `${NGINX.modules}/${name}`);
  const programs: [string, string][] = [
    [parts.node, NODE_PROGRAM],
    ...[NGINX.program, ...modules].map((path): [string, string] => [debian(path), path]),
  ];
  const libraries = new Map<string, string>();
  for (const [from, path] of programs) {
    await install(root, from, path);
    for (const library of await librariesOf(from, parts.libraryPath)) {
      libraries.set(placeOf(library, parts.debianRoot), library);
    }
  }
  for (const [path, from] of libraries) await install(root, from, path);
  for (const name of await readdir(debian(NGINX.lua))) {
    await cp(debian(`${NGINX.lua}/${name}`), inRoot(root, `${NGINX.lua}/${name}`), {
      recursive: true,
      dereference: true,
    });
  }
};
