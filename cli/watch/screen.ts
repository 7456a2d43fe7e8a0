import type { Colors } from 'picocolors/types.js';
import type { SeckillEvent } from '../../operator/api/seckill-event.ts';
import { grouped } from '../report/words.ts';
import { STOCK_BAR_CHARS } from './limits.ts';
import type { Readings } from './readings.ts';

export interface Scene {
  event: SeckillEvent;
  /** `undefined`: Prometheus does not answer, or there is none. */
  readings: Readings | undefined;
  nowMs: number;
}

/** The sale on one screen: will it work, does it work, was it exact. A few lines, each with one question's answer. */
export function screenOf(scene: Scene, colors: Colors): string[] {
  const { event, readings } = scene;
  const { metadata, status } = event;
  const key = `${metadata.namespace}/${metadata.name}`;
  if (status === undefined) return [`${colors.bold(key)}  no operator has looked at it yet`];
  const lines = [
    `${colors.bold(key)}  ${colors.bold(status.phase)}  ${clock(scene)}`,
    `  ${goNoGo(scene, colors)}`,
    `  pods      ${status.pods.ready} of ${status.pods.wanted} ready`,
    `  stock     ${stockLine(scene)}`,
  ];
  if (readings === undefined) return [...lines, colors.yellow('  Prometheus does not answer: rates are not known.')];
  return [
    ...lines,
    `  answers   ${rate(readings.answersPerSecond)} (peak ${rate(readings.peakAnswersPerSecond)}), p99 ${ms(readings.p99Seconds)}`,
    `  sold      ${rate(readings.soldPerSecond)}`,
    `  behind    relay ${seconds(readings.relayLagSeconds)}, order consumers ${seconds(readings.consumerLagSeconds)}`,
    `  accuracy  ${accuracyLine(scene, colors)}`,
  ];
}

/** The same in one line, for logs. */
export function lineOf(scene: Scene): string {
  const { event, readings, nowMs } = scene;
  const { metadata, status } = event;
  const at = new Date(nowMs).toISOString().slice(11, 19);
  const key = `${metadata.namespace}/${metadata.name}`;
  if (status === undefined) return `${at} ${key} no operator has looked at it yet`;
  const { total, available, held, committed } = unitsOf(scene);
  const wrong = Object.entries(accuracyOf(scene)).filter(([, value]) => value !== 0);
  const numbers = wrong.length === 0 ? 'none wrong' : wrong.map(([name, value]) => `${name} ${value}`).join(' ');
  const rates =
    readings === undefined
      ? 'rates unknown'
      : `${rate(readings.answersPerSecond)} p99 ${ms(readings.p99Seconds)} behind ${seconds(readings.consumerLagSeconds)}`;
  return (
    `${at} ${key} ${status.phase} ${clock(scene)}; pods ${status.pods.ready}/${status.pods.wanted}; ` +
    `units ${total}: ${available} available, ${held} held, ${committed} committed; ${rates}; ${numbers}`
  );
}

function clock({ event: { spec, status }, nowMs }: Scene): string {
  const startMs = Date.parse(status?.startTime ?? spec.schedule.startTime);
  const endMs = Date.parse(status?.endTime ?? spec.schedule.endTime);
  if (nowMs < startMs) return `opens in ${span(startMs - nowMs)}`;
  if (status?.phase === 'Settled' || status?.phase === 'Closing' || nowMs >= endMs) return 'is over';
  return `open for ${span(nowMs - startMs)}, ends in ${span(endMs - nowMs)}`;
}

function goNoGo({ event: { status } }: Scene, colors: Colors): string {
  const failing = (status?.checks ?? []).filter(({ passed }) => !passed);
  const armed = status?.conditions.find(({ type }) => type === 'Armed');
  const go = armed?.status === 'True' ? colors.green('armed') : `not armed (${armed?.reason ?? 'unknown'})`;
  if (failing.length === 0) return go;
  const words = failing.map(({ name, blocking, message }) => `${name}${blocking ? '' : ' (advisory)'}: ${message}`);
  return `${go}  ${colors.red(words.join('; '))}`;
}

interface Units {
  total: number;
  available: number;
  held: number;
  committed: number;
}

/** Prometheus is seconds old, the status a little more. */
function unitsOf({ event: { spec, status }, readings }: Scene): Units {
  const { total, available, held, committed } = readings?.stockUnits ?? {};
  const { stock } = status ?? {};
  return {
    total: total ?? stock?.total ?? spec.stock.totalUnits,
    available: available ?? stock?.available ?? 0,
    held: held ?? stock?.held ?? 0,
    committed: committed ?? stock?.committed ?? 0,
  };
}

function stockLine(scene: Scene): string {
  const { total, available, held, committed } = unitsOf(scene);
  const chars = (units: number): number => Math.round((units / Math.max(1, total)) * STOCK_BAR_CHARS);
  const [sold, taken] = [chars(committed), chars(committed + held)];
  const bar = '█'.repeat(sold) + '▒'.repeat(taken - sold) + '·'.repeat(Math.max(0, STOCK_BAR_CHARS - taken));
  const paid = scene.readings?.paidUnits;
  const parts = [`${grouped(available)} available`, `${grouped(held)} held`, `${grouped(committed)} committed`];
  if (paid !== undefined) parts.push(`${grouped(paid)} paid`);
  return `${bar} of ${grouped(total)}: ${parts.join(', ')}`;
}

function accuracyOf({ event: { status }, readings }: Scene): Record<string, number> {
  const live = readings?.accuracy ?? {};
  return Object.keys(live).length > 0 ? live : { ...status?.accuracy };
}

function accuracyLine(scene: Scene, colors: Colors): string {
  const numbers = Object.entries(accuracyOf(scene));
  if (numbers.length === 0) return 'not audited yet';
  const words = numbers.map(([name, value]) => (value === 0 ? `${name} 0` : colors.red(`${name} ${grouped(value)}`)));
  const age = scene.readings?.auditAgeSeconds;
  return `${words.join('  ')}${age === undefined ? '' : `  (audited ${Math.round(age)} s ago)`}`;
}

const rate = (value: number | undefined): string => (value === undefined ? '–/s' : `${grouped(Math.round(value))}/s`);
const ms = (value: number | undefined): string => (value === undefined ? '–' : `${Math.round(value * 1_000)} ms`);
const seconds = (value: number | undefined): string => (value === undefined ? '–' : `${value.toFixed(1)} s`);

/** 3725000 → 1:02:05 */
function span(durationMs: number): string {
  const all = Math.floor(durationMs / 1_000);
  const [hours, minutes, rest] = [Math.floor(all / 3_600), Math.floor(all / 60) % 60, all % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
