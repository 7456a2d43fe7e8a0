import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type DebianSet, debianParts } from '../servers/debian.ts';
import type { ServerOptions } from '../servers/options.ts';

/** What a node is made of besides Kubernetes' own programs. */
const nodeSet: DebianSet = {
  label: 'node',
  what: 'containerd, runc, the network plugins and iptables',
  size: '50 MB',
  packages: ['containerd', 'runc', 'containernetworking-plugins', 'iptables'],
  libraries: ['libxtables12', 'libnftnl11', 'libmnl0', 'libip4tc2', 'libip6tc2', 'libseccomp2'],
  programs: ['usr/bin/containerd', 'usr/sbin/runc', 'usr/sbin/xtables-nft-multi', 'usr/lib/cni/bridge'],
  instead: 'run this on a Debian or Ubuntu machine.',
};

export interface NodeParts {
  containerd: string;
  ctr: string;
  runc: string;
  /** The folder of the network plugins. */
  cni: string;
  /** The program that all names of iptables are links to, and where these are. */
  iptables: string;
  linkFolder: string;
  /** What the programs need in their environment; PATH holds iptables under its usual names. */
  env: { PATH: string; LD_LIBRARY_PATH: string; XTABLES_LIBDIR: string };
}

const iptablesNames = ['iptables', 'ip6tables'].flatMap((name) => [name, `${name}-save`, `${name}-restore`]);

/** Debian makes these links when the package is installed, which it is not. */
export const linkIptables = async (parts: NodeParts): Promise<void> => {
  await mkdir(parts.linkFolder, { recursive: true });
  for (const name of iptablesNames) await symlink(parts.iptables, join(parts.linkFolder, name));
};

/** Fetches the parts the first time. iptables is found once `linkIptables` has made its links in `linkFolder`. */
export const nodeParts = async (options: ServerOptions, linkFolder: string): Promise<NodeParts> => {
  const { searchPath, report } = options;
  const debian = await debianParts({ cacheFolder: options.cacheFolder(), searchPath, report }, nodeSet);
  const inRoot = (path: string) => join(debian.root, path);
  const libraries = debian.env.LD_LIBRARY_PATH;
  const folders = [linkFolder, inRoot('usr/bin'), inRoot('usr/sbin'), '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  return {
    containerd: debian.program('usr/bin/containerd'),
    ctr: debian.program('usr/bin/ctr'),
    runc: debian.program('usr/sbin/runc'),
    cni: inRoot('usr/lib/cni'),
    iptables: debian.program('usr/sbin/xtables-nft-multi'),
    linkFolder,
    env: {
      PATH: folders.join(':'),
      LD_LIBRARY_PATH: libraries,
      XTABLES_LIBDIR: join(libraries.split(':')[0] ?? '', 'xtables'),
    },
  };
};
