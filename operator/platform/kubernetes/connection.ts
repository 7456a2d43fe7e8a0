import type { Agent as HttpsAgent, RequestOptions } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import { KubeConfig } from '@kubernetes/client-node';
import { Agent, type buildConnector, type Dispatcher, ProxyAgent } from 'undici';
import { SeckillError } from '../../../services/domain/errors.ts';
import { CONNECT_TIMEOUT_MS, CONNECTIONS_MAX, CREDENTIALS_REREAD_MS, KEEP_ALIVE_MS } from './limits.ts';

export interface Credentials {
  headers: Record<string, string>;
  /** For calls. */
  dispatcher: Dispatcher;
  /** For watches, which keep their connection: one each, without a bound on how long it is silent. */
  watches: Dispatcher;
}

export interface KubeConnection {
  /** Without a slash at its end. */
  server: string;
  /** `fresh`: the server did not accept what we had. */
  credentials(fresh?: boolean): Promise<Credentials>;
  /**
   * The connections for calls may be dead without a word: the next calls get new ones. Calls under way on the former
   * ones come to their end, at their timeout at the latest, or fail now.
   */
  renew(former: 'end' | 'fail'): void;
  close(): Promise<void>;
}

/**
 * Where the API server is and who we are, by a kubeconfig file or from inside of a pod. The library reads all kinds of
 * credentials; connections are ours, because it would open new ones for every call.
 */
export function connectKubernetes(which: {
  kubeconfigFile?: string | undefined;
  context?: string | undefined;
}): KubeConnection {
  const config = loadConfig(which.kubeconfigFile);
  if (which.context !== undefined) useContext(config, which.context);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new SeckillError('SECKILL_ERR_CONFIG', 'the kubeconfig names no current cluster');
  let made: { material: string; dispatcher: Dispatcher; watches: Dispatcher; another(): Dispatcher } | undefined;
  let known: { atMs: number; credentials: Credentials } | undefined;
  const retired = new Set<Promise<void>>();

  function retire(ended: Promise<void>): void {
    const done = ended.finally(() => retired.delete(done));
    retired.add(done);
  }

  function make(options: RequestOptions, limits: Agent.Options): Dispatcher {
    const { ca, cert, key, rejectUnauthorized, servername } = options as HttpsAgent['options'];
    const tls = dropAbsent({ ca, cert, key, rejectUnauthorized, servername });
    const wanted = config.createDispatcherOptions(cluster, tls);
    if (wanted.type === 'socks')
      throw new SeckillError('SECKILL_ERR_CONFIG', 'the API server cannot be reached through SOCKS; use an HTTP proxy');
    // The same fields in two libraries' words for TLS options, which differ in types of fields that are not used here.
    const withTimeout = (connect: ConnectionOptions) =>
      ({ ...connect, timeout: CONNECT_TIMEOUT_MS }) as buildConnector.BuildOptions;
    if (wanted.type === 'proxy')
      return new ProxyAgent({ ...limits, uri: wanted.uri, requestTls: withTimeout(wanted.requestTls) });
    return new Agent({ ...limits, connect: withTimeout(wanted.type === 'agent' ? wanted.connect : {}) });
  }

  async function read(): Promise<Credentials> {
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const { ca, cert, key, auth } = options;
    const material = JSON.stringify([ca, cert, key].map((part) => part?.toString()));
    if (made?.material !== material) {
      // A certificate was replaced: connections that are in use end with what they carry.
      if (made !== undefined) {
        retire(made.dispatcher.close());
        retire(made.watches.destroy());
      }
      // HTTP/1: a watch owns its connection, so that a dead one takes nothing else with it.
      const limits = { allowH2: false, keepAliveTimeout: KEEP_ALIVE_MS, bodyTimeout: 0 };
      const another = () => make(options, { ...limits, connections: CONNECTIONS_MAX });
      made = { material, dispatcher: another(), watches: make(options, limits), another };
    }
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value);
    if (auth) headers['authorization'] = `Basic ${Buffer.from(auth).toString('base64')}`;
    return { headers, dispatcher: made.dispatcher, watches: made.watches };
  }

  return {
    server: cluster.server.replace(/\/+$/, ''),
    async credentials(fresh = false) {
      const nowMs = performance.now();
      if (fresh || known === undefined || nowMs - known.atMs > CREDENTIALS_REREAD_MS)
        known = { atMs: nowMs, credentials: await read() };
      return known.credentials;
    },
    renew(former) {
      if (made === undefined) return;
      retire(former === 'fail' ? made.dispatcher.destroy() : made.dispatcher.close());
      made = { ...made, dispatcher: made.another() };
      known = undefined;
    },
    async close() {
      await Promise.all([...retired, made?.watches.destroy(), made?.dispatcher.destroy()]);
    },
  };
}

function loadConfig(kubeconfigFile: string | undefined): KubeConfig {
  const config = new KubeConfig();
  try {
    if (kubeconfigFile === undefined) config.loadFromCluster();
    else config.loadFromFile(kubeconfigFile);
  } catch (error) {
    throw unreadable(kubeconfigFile ?? 'of this pod (no KUBECONFIG is set)', error);
  }
  return config;
}

function useContext(config: KubeConfig, context: string): void {
  const names = config.getContexts().map(({ name }) => name);
  if (!names.includes(context)) {
    const sentence = `the kubeconfig has no context "${context}", only ${names.join(', ') || 'none'}`;
    throw new SeckillError('SECKILL_ERR_CONFIG', sentence);
  }
  config.setCurrentContext(context);
}

function unreadable(which: string, cause: unknown): SeckillError {
  return new SeckillError('SECKILL_ERR_CONFIG', `the kubeconfig ${which} cannot be read`, { cause });
}

function dropAbsent<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
