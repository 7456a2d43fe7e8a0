import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { API_REQUEST_TIMEOUT_MS } from './limits.ts';

export interface ApiAnswer {
  status: number;
  body: string;
}

/** Asks the API server as the administrator, each time on a connection of its own: an old one may lead to a dead server. */
export type AskApi = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object) => Promise<ApiAnswer>;

/** Whoever answers without our authority's certificate is refused, so an answer proves that the server is ours. */
export const apiRequests = (url: string, pki: string): AskApi => {
  const read = (name: string) => readFileSync(join(pki, name));
  const [ca, cert, key] = [read('ca.crt'), read('admin.crt'), read('admin.key')];
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const asked = request(
        new URL(path, url),
        { method, headers, ca, cert, key, agent: false, timeout: API_REQUEST_TIMEOUT_MS },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
          response.on('error', reject);
        },
      );
      asked.on('timeout', () => asked.destroy(new Error('it did not answer in time')));
      asked.on('error', reject);
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
};
