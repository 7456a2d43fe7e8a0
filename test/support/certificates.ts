import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificates {
  /** Files in PEM: an authority, and the certificate and key of a server on 127.0.0.1 that it signed. */
  caFile: string;
  certFile: string;
  keyFile: string;
  /** Key and certificates in one file, as Kafka reads them. */
  bundleFile: string;
  /** Another authority, which signed nothing. */
  otherCaFile: string;
  ca: string;
  otherCa: string;
}

/** Makes them in this folder, valid for a day. */
export function makeCertificates(folder: string): Certificates {
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  for (const name of ['ca', 'other']) {
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.crt`,
      '-days',
      '1',
      '-subj',
      `/CN=${name}`,
    );
  }
  openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=server');
  writeFileSync(file('names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '1', '-extfile', 'names'];
  openssl('x509', '-req', '-in', 'server.csr', ...signed, '-out', 'server.crt');
  const text = (name: string): string => readFileSync(file(name), 'utf8');
  writeFileSync(file('bundle.pem'), text('server.key') + text('server.crt') + text('ca.crt'), { mode: 0o600 });
  return {
    caFile: file('ca.crt'),
    certFile: file('server.crt'),
    keyFile: file('server.key'),
    bundleFile: file('bundle.pem'),
    otherCaFile: file('other.crt'),
    ca: text('ca.crt'),
    otherCa: text('other.crt'),
  };
}
