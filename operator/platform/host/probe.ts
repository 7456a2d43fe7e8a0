import { PROBE_TIMEOUT_MS } from './limits.ts';

/** Whether the process behind the URL calls itself ready. A refused connection is a plain no. */
export async function asksReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(new URL('/readyz', url), { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}
