import { FAULTS, type FaultId, type Seen } from './faults.ts';

/** docs/faults.md of what the tests saw, on a machine of so many cores. */
export function renderFaults(seen: Readonly<Record<FaultId, Seen>>, cores: number): string {
  const rows = (Object.keys(FAULTS) as FaultId[]).map((id) => {
    const { fault, measured } = FAULTS[id];
    const { said, seconds } = seen[id];
    return `| ${[fault, said, measured, secondsText(seconds)].map(cell).join(' | ')} |`;
  });
  return [
    '# Faults',
    '',
    'What the status says when something breaks, and how long it takes until all is right again. Nobody does anything in',
    'between but repair what is named. [conditions.md](conditions.md) says what to do about each reason and check.',
    '',
    'Made by `npm run faults`, which plays these faults by tests that belong to the suite, against real servers and a real',
    `control plane of Kubernetes. Each was measured once, on a busy machine of ${cores} cores: servers, control plane, operators`,
    'and tests all ran on it at once. The seconds tell the order of magnitude, not a limit. A status is written every five',
    'seconds at most unless the phase changes: many a row shows that pause rather than the repair. No node is involved: what',
    'a kubelet says of an image or a Secret that is missing, and that a pod is ready, is said by the test. In the rows of',
    'operators that are killed at a step or all dead, and of a Redis that is killed, the platform is a single machine. Random',
    'names are replaced by capitals.',
    '',
    '*As it was*: all was right again before the status said otherwise, or nobody was there to write it.',
    '',
    '| fault | the status said | measured | seconds |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function secondsText(seconds: number): string {
  return seconds < 0.05 ? '< 0.1' : seconds.toFixed(1);
}

/** Nothing is taken for a column or a tag, and what is random for a name. */
function cell(text: string): string {
  return text
    .replaceAll(/\btest-[0-9a-f]{10}\b/g, 'NAMESPACE')
    .replaceAll(/\bske-[0-9a-f]{10}-sale-[0-9a-f]+(-[0-9a-f]+)?(-[a-z0-9]{5})?/g, 'POOL')
    .replaceAll(/\bsale-[0-9a-f]{10}\b/g, 'SALE')
    .replaceAll(/\buser-[0-9a-f]{10}\b/g, 'USER')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'HOST:PORT')
    .replaceAll('|', '\\|')
    .replaceAll('<', '&lt;');
}
