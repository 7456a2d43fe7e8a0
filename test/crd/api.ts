import { readFileSync } from 'node:fs';
import { Agent } from 'undici';
import { parse } from 'yaml';
import type { ControlPlane } from '../../tools/kubernetes/control-plane.ts';

/** One thing that the API server says is wrong. */
export interface Cause {
  field: string;
  message: string;
}

export interface Verdict {
  accepted: boolean;
  causes: Cause[];
  /** The whole answer. */
  text: string;
  object: Record<string, unknown>;
}

export interface EventsApi {
  /** `version` is the CRD's, of the group that this was made for. */
  create(manifest: object, options?: { version?: string; dryRun?: boolean }): Promise<Verdict>;
  /** Writes over what is there now, as `kubectl replace` does. */
  replace(manifest: object, options?: { version?: string; dryRun?: boolean }): Promise<Verdict>;
  /** As `kubectl patch --type merge` does. */
  patch(name: string, patch: object): Promise<Verdict>;
  putStatus(name: string, status: object | undefined, options?: { version?: string }): Promise<Verdict>;
  get(name: string, version?: string): Promise<Record<string, unknown>>;
}

interface Metadata {
  name?: string;
  [field: string]: unknown;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH';
export type Ask = (
  method: Method,
  path: string,
  body?: object,
  accept?: string,
) => Promise<{ status: number; body: string }>;

/** Requests of the administrator's on connections that stay: the table is asked many hundred times. */
export function askOften({ url, kubeconfigFile, caPem }: ControlPlane): { ask: Ask; close(): Promise<void> } {
  const { users } = parse(readFileSync(kubeconfigFile, 'utf8')) as { users: { user: Record<string, string> }[] };
  const pem = (name: string) => Buffer.from(users[0]?.user[name] ?? '', 'base64');
  const connect = { ca: caPem, cert: pem('client-certificate-data'), key: pem('client-key-data') };
  const dispatcher = new Agent({ connections: CONNECTIONS, connect });
  return {
    close: () => dispatcher.close(),
    async ask(method, path, body, accept = 'application/json') {
      const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
      const answer = await dispatcher.request({
        ...{ origin: url, path, method, headers: { 'content-type': contentType, accept } },
        body: body === undefined ? null : JSON.stringify(body),
      });
      return { status: answer.statusCode, body: await answer.body.text() };
    },
  };
}

const CONNECTIONS = 4;

/** SeckillEvents of one namespace, as strict as kubectl asks for. */
export function eventsApi(ask: Ask, namespace: string, group: string): EventsApi {
  const of = (version: string, name = '', query = '') =>
    `/apis/${group}/${version}/namespaces/${namespace}/seckillevents${name === '' ? '' : `/${name}`}${query}`;
  const VERSION = 'v1alpha1';
  const query = (dryRun: boolean) => `?fieldValidation=Strict${dryRun ? '&dryRun=All' : ''}`;

  async function say(method: Method, path: string, body?: object): Promise<Verdict> {
    const { status, body: text } = await ask(method, path, body);
    const object = JSON.parse(text) as { message?: string; details?: { causes?: Cause[] } };
    const causes = (object.details?.causes ?? []).map(({ field, message }) => ({ field, message }));
    return { accepted: status < 300, causes, text: object.message ?? '', object: object as Record<string, unknown> };
  }

  /** The group, the version and the namespace are this API's, unless the manifest means to be wrong there. */
  function here(manifest: object, version: string): object {
    const { apiVersion, metadata, ...rest } = manifest as { apiVersion?: string; metadata?: Metadata };
    const ours = apiVersion === 'seckill.io/v1alpha1' ? { apiVersion: `${group}/${version}` } : { apiVersion };
    if (metadata === undefined) return { ...ours, ...rest };
    const place = metadata['namespace'] === 'shop' ? { namespace } : {};
    return { ...ours, metadata: { ...metadata, ...place }, ...rest };
  }

  async function get(name: string, version = VERSION): Promise<Record<string, unknown>> {
    const { status, body } = await ask('GET', of(version, name));
    if (status !== 200) throw new Error(`${name} could not be read: ${status} ${body}`);
    return JSON.parse(body) as Record<string, unknown>;
  }

  return {
    get,
    create: (manifest, { version = VERSION, dryRun = true } = {}) =>
      say('POST', of(version, '', query(dryRun)), here(manifest, version)),
    async replace(manifest, { version = VERSION, dryRun = true } = {}) {
      const next = here(manifest, version) as { metadata: Metadata };
      const name = next.metadata.name ?? '';
      const { resourceVersion } = (await get(name, version))['metadata'] as Metadata;
      const metadata = { ...next.metadata, resourceVersion };
      return say('PUT', of(version, name, query(dryRun)), { ...next, metadata });
    },
    patch: (name, patch) => say('PATCH', of(VERSION, name, query(false)), patch),
    async putStatus(name, status, { version = VERSION } = {}) {
      return say('PUT', of(version, `${name}/status`, query(false)), { ...(await get(name, version)), status });
    },
  };
}
