import { stripVTControlCharacters } from 'node:util';
import { createColors } from 'picocolors';
import { describe, expect, test } from 'vitest';
import { lineOf, type Scene, screenOf } from '../../cli/watch/screen.ts';
import { createTerminal } from '../../cli/watch/terminal.ts';
import { checkManifest } from '../../operator/api/check-manifest.ts';
import type { Phase, SeckillEventStatus } from '../../operator/api/status.ts';
import { plainManifest } from '../operator/manifests.ts';

const START = '2026-12-12T12:00:00.000Z';
const END = '2026-12-12T12:30:00.000Z';
const ZERO = { oversold: 0, undersold: 0, broken: 0, phantom: 0, overLimit: 0, drift: 0 };
const plain = createColors(false);

function sceneAt(time: string, phase: Phase, changes: Partial<SeckillEventStatus> = {}): Scene {
  const checked = checkManifest(plainManifest());
  if (!checked.ok) throw new Error('the manifest of the test is wrong');
  const { spec, metadata } = checked.event;
  const status: SeckillEventStatus = {
    ...{ phase, reason: 'Waiting', message: 'It waits.', observedGeneration: 1 },
    ...{ startTime: START, endTime: END, pods: { ready: 3, wanted: 3 } },
    conditions: [],
    checks: [],
    stock: { total: 1_000, available: 400, held: 100, committed: 500, sold: 500, drift: 0 },
    ...changes,
  };
  const object = {
    ...{ uid: 'u', generation: 1, createdMs: 0, labels: {}, annotations: {}, finalizers: [] },
    ...{ name: metadata.name, namespace: metadata.namespace },
  };
  return { event: { metadata: object, spec, status }, readings: undefined, nowMs: Date.parse(time) };
}

const shown = (scene: Scene): string => screenOf(scene, plain).join('\n');

describe('the screen of a sale', () => {
  test('counts down before the opening, and names the check that hinders it', () => {
    const checks = [{ name: 'RedisPolicy', blocking: true, passed: false, message: 'it may evict' }];
    const before = sceneAt('2026-12-12T10:58:55.000Z', 'Preheating', { checks });
    expect(shown(before)).toContain('opens in 1:01:05');
    expect(shown(before)).toContain('state     not armed (unknown)  RedisPolicy: it may evict');
  });

  test('shows the stock of the status, and says that it knows no rates, as long as Prometheus is silent', () => {
    const open = shown(sceneAt('2026-12-12T12:00:10.000Z', 'Open'));
    expect(open).toContain('open for 0:10, ends in 29:50');
    expect(open).toContain(`${'█'.repeat(20)}${'▒'.repeat(4)}${'·'.repeat(16)} of 1,000: 400 available`);
    expect(open).toContain('Prometheus does not answer');
  });

  test('shows what Prometheus knows, which is newer than the status', () => {
    const readings = {
      ...{ answersPerSecond: 3_973.4, peakAnswersPerSecond: 6_100, soldPerSecond: 412, p99Seconds: 0.042 },
      ...{ relayLagSeconds: 0.1, consumerLagSeconds: 1.25, auditAgeSeconds: 3.4, paidUnits: 0 },
      stockUnits: { total: 1_000, available: 0, held: 10, committed: 990 },
      errorsPerSecond: 3,
      accuracy: { ...ZERO, drift: 2 },
      alerts: ['SeckillDrift', 'SeckillRedisMemory'],
    };
    const text = shown({ ...sceneAt('2026-12-12T12:00:10.000Z', 'SoldOut'), readings });
    expect(text).toContain('3,973/s (peak 6,100/s), errors 3/s, p99 42 ms');
    expect(text).toContain('0 available, 10 held, 990 committed, 0 paid');
    expect(text).toContain('relay 0.1 s, order consumers 1.3 s');
    expect(text).toContain('accuracy  NOT EXACT:  oversold 0  undersold 0  broken 0  phantom 0');
    expect(text).toContain('drift 2  (audited 3 s ago)');
    expect(text).toContain('alerts    SeckillDrift, SeckillRedisMemory');
    expect(lineOf({ ...sceneAt('2026-12-12T12:00:10.000Z', 'SoldOut'), readings })).toMatch(
      /behind 1\.3 s; drift 2; SeckillDrift SeckillRedisMemory$/,
    );
  });

  test('never calls exact what nobody has audited', () => {
    const open = sceneAt('2026-12-12T12:00:10.000Z', 'Open');
    expect(shown(open)).toContain('accuracy  not audited yet');
    expect(lineOf(open)).toMatch(/not audited yet$/);
  });

  test('says what a sale waits for, and what the operator says of a phase in which arming is not the question', () => {
    const condition = { observedGeneration: 1, lastTransitionTime: START };
    const conditions = [
      { ...condition, type: 'Armed', status: 'True', reason: 'OnTime', message: 'All passed.' } as const,
      { ...condition, type: 'Stalled', status: 'True', reason: 'EndNotMoved', message: 'Put the end back.' } as const,
    ];
    const open = shown(sceneAt('2026-12-12T12:00:10.000Z', 'Open', { conditions }));
    expect(open).toContain('state     armed  waits for a person: Put the end back.');
    const checks = [{ name: 'RedisPolicy', blocking: true, passed: false, message: 'it may evict' }];
    const settled = { checks, pods: { ready: 1, wanted: 0 }, accuracy: ZERO };
    const over = shown(sceneAt('2026-12-12T12:10:00.000Z', 'Settled', settled));
    expect(over).toContain('state     It waits.\n  pods      none wanted, 1 not gone yet\n');
    expect(over).toContain('accuracy  exact:  oversold 0  undersold 0');
  });

  test('says that it is over, and is one line where there is no terminal', () => {
    const settled = sceneAt('2026-12-12T12:10:00.000Z', 'Settled', { accuracy: ZERO });
    expect(shown(settled)).toContain('is over');
    expect(lineOf(settled)).toBe(
      '12:10:00 shop/phone-x Settled is over; pods 3/3; units 1000: 400 available, 100 held, 500 committed; ' +
        'rates unknown; exact',
    );
  });
});

describe('a terminal', () => {
  /** What is written, and its rows as the terminal shows them. */
  function terminalOf(columns: number, rows: number) {
    const written: string[] = [];
    const terminal = createTerminal({ columns, rows, write: (text: string) => written.push(text) });
    return { terminal, written, rows: () => stripVTControlCharacters(written.at(-1) ?? '').split('\n') };
  }

  test('is drawn over from its first row, with nothing that wraps or scrolls', () => {
    const readings = { stockUnits: {}, accuracy: { ...ZERO, drift: 2 }, auditAgeSeconds: 3.4, alerts: [] };
    const scene = { ...sceneAt('2026-12-12T12:00:10.000Z', 'Open'), readings };
    const lines = screenOf(scene, createColors(true));
    expect(Math.max(...lines.map((line) => stripVTControlCharacters(line).length))).toBeGreaterThan(80);
    const { terminal, written, rows } = terminalOf(80, 8);
    terminal.draw(lines);
    expect(written.at(-1)?.startsWith('\x1b[H')).toBe(true);
    expect(rows().length).toBe(7);
    expect(Math.max(...rows().map((row) => row.length))).toBe(80);
  });

  test('cuts what people read and not the colors, each of which ends', () => {
    const { terminal, written } = terminalOf(10, 24);
    const { red, bold } = createColors(true);
    terminal.draw([`${bold('four')}${red('eight ch')} and more`, red('█'.repeat(12))]);
    const first = `${bold('four')}${red('eight ')}`;
    expect(written.at(-1)).toBe(`\x1b[H${first}\x1b[K\n${red('█'.repeat(10))}\x1b[K\x1b[J`);
  });

  test('gives the cursor back at the end', () => {
    const { terminal, written } = terminalOf(80, 24);
    expect(written).toEqual(['\x1b[?25l\x1b[2J']);
    terminal.end();
    expect(written.at(-1)).toContain('\x1b[?25h');
  });
});
