import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, runCommand } from '../servers/command.ts';
import { setupError } from '../servers/errors.ts';
import { CERTIFICATE_DAYS, CERTIFICATE_TIMEOUT_MS } from './limits.ts';

/** Who has a certificate, by the name of its files (NAME.crt, NAME.key). */
interface Identity {
  name: string;
  /** Of the certificate; Kubernetes reads user (CN) and groups (O) from it. */
  subject: string;
  /** Signed by the cluster's authority unless it says otherwise. */
  authority?: 'front-proxy-ca';
  /** The names that a server's certificate is good for; absent: a client's. */
  serves?: string[];
}

/** Kubernetes reads the name of a node from its certificate. */
export const NODE_NAME = 'node1';

const identities = (addresses: readonly string[], clusterAddress: string): Identity[] => {
  const own = addresses.map((address) => `IP:${address}`);
  const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local'];
  return [
    {
      name: 'apiserver',
      subject: '/CN=kube-apiserver',
      serves: [...own, `IP:${clusterAddress}`, 'DNS:localhost', ...names.map((name) => `DNS:${name}`)],
    },
    { name: 'kubelet-server', subject: `/CN=${NODE_NAME}`, serves: [...own, `DNS:${NODE_NAME}`] },
    { name: 'admin', subject: '/O=system:masters/CN=admin' },
    { name: 'apiserver-kubelet', subject: '/O=system:masters/CN=apiserver-kubelet' },
    { name: 'controller-manager', subject: '/CN=system:kube-controller-manager' },
    { name: 'scheduler', subject: '/CN=system:kube-scheduler' },
    { name: 'kube-proxy', subject: '/CN=system:kube-proxy' },
    { name: 'kubelet', subject: `/O=system:nodes/CN=system:node:${NODE_NAME}` },
    { name: 'front-proxy', subject: '/CN=front-proxy-client', authority: 'front-proxy-ca' },
  ];
};

/** Who talks to the API server with a file: a kubeconfig is written for each. */
const users = ['admin', 'controller-manager', 'scheduler', 'kube-proxy', 'kubelet'] as const;

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc'];

/** JSON is YAML too, and what a kubeconfig may be written in. */
const kubeconfig = (folder: string, url: string, user: string): string => {
  const base64 = (file: string) => readFileSync(join(folder, file)).toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'seckill',
    clusters: [{ name: 'seckill', cluster: { server: url, 'certificate-authority-data': base64('ca.crt') } }],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': base64(`${user}.crt`),
          'client-key-data': base64(`${user}.key`),
        },
      },
    ],
    contexts: [{ name: 'seckill', context: { cluster: 'seckill', user } }],
  });
};

export interface CertificateOptions {
  folder: string;
  searchPath: readonly string[];
  /** Of the API server, as clients name it. */
  url: string;
  /** IP addresses that the API server and the kubelet answer on. */
  addresses: readonly string[];
  /** The first address of the service range: `kubernetes.default`. */
  clusterAddress: string;
}

/**
 * Fills the folder with an authority, a certificate for each part, the key of service account tokens (sa.key, sa.pub),
 * and NAME.kubeconfig for each user. Does nothing when it did so before: clients that know the authority go on.
 */
export const makeCertificates = async (options: CertificateOptions): Promise<void> => {
  const { folder } = options;
  const finished = join(folder, 'finished');
  if (existsSync(finished)) return;
  const openssl = findProgram('openssl', options.searchPath);
  if (openssl === undefined) throw setupError('openssl is not on PATH: install it (Debian: apt install openssl).');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });

  const certify = async (name: string, subject: string, extensions: readonly string[], authority?: string) => {
    const signer = authority === undefined ? [] : ['-CA', `${authority}.crt`, '-CAkey', `${authority}.key`];
    const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`, '-days', String(CERTIFICATE_DAYS)];
    const added = extensions.flatMap((extension) => ['-addext', extension]);
    const made = await runCommand(
      openssl,
      ['req', '-x509', ...NEW_KEY, '-subj', subject, ...files, ...signer, ...added],
      { cwd: folder, timeoutMs: CERTIFICATE_TIMEOUT_MS },
    );
    if (made.code !== 0) throw setupError(`openssl made no certificate for ${name}: ${made.stderr.trim()}`);
    await chmod(join(folder, `${name}.key`), 0o600);
  };

  // That they are authorities (CA:TRUE) comes from the defaults of openssl.cnf; saying it again is an error.
  for (const name of ['ca', 'front-proxy-ca']) {
    await certify(name, `/CN=${name}`, ['keyUsage=critical,keyCertSign,cRLSign,digitalSignature']);
  }
  for (const { name, subject, authority, serves } of identities(options.addresses, options.clusterAddress)) {
    const use = serves === undefined ? 'clientAuth' : 'serverAuth';
    const names = serves === undefined ? [] : [`subjectAltName=${serves.join(',')}`];
    const extensions = ['basicConstraints=critical,CA:FALSE', `extendedKeyUsage=${use}`, ...names];
    await certify(
      name,
      subject,
      ['keyUsage=critical,digitalSignature,keyEncipherment', ...extensions],
      authority ?? 'ca',
    );
  }
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  await writeFile(join(folder, 'sa.key'), privateKey, { mode: 0o600 });
  await writeFile(join(folder, 'sa.pub'), publicKey);
  for (const user of users) {
    await writeFile(join(folder, `${user}.kubeconfig`), kubeconfig(folder, options.url, user), { mode: 0o600 });
  }
  await writeFile(finished, '');
};
