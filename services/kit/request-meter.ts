import type { FastifyReply } from 'fastify';
import { createPeak } from './metrics/peak.ts';
import type { Cell } from './metrics/series.ts';
import type { Metrics } from './metrics.ts';

declare module 'fastify' {
  interface FastifyReply {
    /** What was told, in a word or by the code of an error; empty where the status says it all. */
    answer: string;
  }
}

/** Counts what a process answers: by route, answer and status, how long it took, and the most in any one second. */
export interface RequestMeter {
  /** Called with each answer of this route, when it has been handed to the network. */
  of(route: string): (reply: FastifyReply) => void;
}

export function createRequestMeter(metrics: Metrics): RequestMeter {
  const requests = metrics.tally('requests');
  const seconds = metrics.histogram('requestSeconds');
  const peak = createPeak();
  metrics.gauge('peakAnswers', () => peak.read(performance.now()));

  return {
    of(route) {
      // Shown from the beginning: of what a counter had when it was first seen, a rate knows nothing.
      seconds.observe(0, route, 0);
      // By answer, then by status: two look-ups of what is there already, for each request.
      const cells = new Map<string, Map<number, Cell>>();
      function cellOf(answer: string, code: number): Cell {
        const byCode = cells.get(answer) ?? new Map<number, Cell>();
        cells.set(answer, byCode);
        const cell = requests.cell(route, answer === '' ? 'ok' : answer, String(code));
        byCode.set(code, cell);
        return cell;
      }
      return (reply) => {
        const { answer, statusCode } = reply;
        const cell = cells.get(answer)?.get(statusCode) ?? cellOf(answer, statusCode);
        cell.count += 1;
        seconds.observe(reply.elapsedTime / 1_000, route);
        peak.add(performance.now());
      };
    },
  };
}
