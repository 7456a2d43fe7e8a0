import type { Colors } from 'picocolors/types.js';
import type { SeckillEvent } from '../../operator/api/seckill-event.ts';
import type { Phase, SeckillEventStatus } from '../../operator/api/status.ts';
import { ACCURATE } from '../../services/domain/accounting.ts';
import { grouped } from '../report/words.ts';
import { AUDIT_OLD_SECONDS, STOCK_BAR_CHARS } from './limits.ts';
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
    `  state     ${stateLine(status, colors)}`,
    `  pods      ${podsLine(status)}`,
    `  stock     ${stockLine(scene)}`,
  ];
  const accuracy = `  accuracy  ${accuracyLine(scene, colors)}`;
  if (readings === undefined) {
    return [...lines, accuracy, colors.yellow('  Prometheus does not answer: rates and alerts are not known.')];
  }
  const { answersPerSecond, peakAnswersPerSecond, errorsPerSecond, p99Seconds, alerts } = readings;
  const answers = `${rate(answersPerSecond)} (peak ${rate(peakAnswersPerSecond)})`;
  const errors = `errors ${rate(errorsPerSecond)}`;
  return [
    ...lines,
    `  answers   ${answers}, ${(errorsPerSecond ?? 0) > 0 ? colors.red(errors) : errors}, p99 ${ms(p99Seconds)}`,
    `  sold      ${rate(readings.soldPerSecond)}`,
    `  behind    relay ${seconds(readings.relayLagSeconds)}, order consumers ${seconds(readings.consumerLagSeconds)}`,
    accuracy,
    `  alerts    ${alerts.length === 0 ? 'none' : colors.red(alerts.join(', '))}`,
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
  const numbers = accuracyOf(scene);
  const wrong = numbers.filter(([, value]) => value !== 0).map(([name, value]) => `${name} ${value}`);
  const verdict = numbers.length === 0 ? 'not audited yet' : wrong.join(' ') || 'exact';
  const alerts = readings === undefined || readings.alerts.length === 0 ? '' : `; ${readings.alerts.join(' ')}`;
  const rates =
    readings === undefined
      ? 'rates unknown'
      : `${rate(readings.answersPerSecond)} p99 ${ms(readings.p99Seconds)} behind ${seconds(readings.consumerLagSeconds)}`;
  return (
    `${at} ${key} ${status.phase} ${clock(scene)}; pods ${status.pods.ready}/${status.pods.wanted}; ` +
    `units ${total}: ${available} available, ${held} held, ${committed} committed; ${rates}; ${verdict}${alerts}`
  );
}

function clock({ event: { spec, status }, nowMs }: Scene): string {
  const startMs = Date.parse(status?.startTime ?? spec.schedule.startTime);
  const endMs = Date.parse(status?.endTime ?? spec.schedule.endTime);
  if (nowMs < startMs) return `opens in ${span(startMs - nowMs)}`;
  if (isOver(status?.phase) || nowMs >= endMs) return 'is over';
  return `open for ${span(nowMs - startMs)}, ends in ${span(endMs - nowMs)}`;
}

/** Armed or what hinders it, as long as that is the question; then what the operator says of the phase. */
function stateLine({ phase, message, checks, conditions }: SeckillEventStatus, colors: Colors): string {
  const of = (type: string) => conditions.find((condition) => condition.type === type);
  const armed = of('Armed');
  const notArmed = ['Scheduled', 'Preheating'].includes(phase);
  const go = armed?.status === 'True' ? colors.green('armed') : `not armed (${armed?.reason ?? 'unknown'})`;
  const says = notArmed || ['Armed', 'Open'].includes(phase) ? go : message;
  const failing = isOver(phase) ? [] : checks.filter(({ passed }) => !passed);
  const words = failing.map(({ name, blocking, message: why }) => `${name}${blocking ? '' : ' (advisory)'}: ${why}`);
  const stalled = of('Stalled');
  if (stalled?.status === 'True') words.push(`waits for a person: ${stalled.message}`);
  return words.length === 0 ? says : `${says}  ${colors.red(words.join('; '))}`;
}

function podsLine({ pods: { ready, wanted } }: SeckillEventStatus): string {
  if (wanted > 0) return `${ready} of ${wanted} ready`;
  return ready > 0 ? `none wanted, ${ready} not gone yet` : 'none wanted';
}

const isOver = (phase: Phase | undefined): boolean => ['Closing', 'Settled', 'Failed'].includes(phase ?? '');

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

/** The six numbers in the order in which people are told of them; none before the first audit. */
function accuracyOf({ event: { status }, readings }: Scene): (readonly [name: string, value: number])[] {
  const live: Record<string, number> = readings?.accuracy ?? {};
  const told: Record<string, number> = Object.keys(live).length > 0 ? live : { ...status?.accuracy };
  return Object.keys(ACCURATE).flatMap((name) => (told[name] === undefined ? [] : [[name, told[name]] as const]));
}

function accuracyLine(scene: Scene, colors: Colors): string {
  const numbers = accuracyOf(scene);
  if (numbers.length === 0) return 'not audited yet';
  const exact = numbers.every(([, value]) => value === 0);
  const words = numbers.map(([name, value]) => (value === 0 ? `${name} 0` : colors.red(`${name} ${grouped(value)}`)));
  const verdict = exact ? colors.green('exact:') : colors.red('NOT EXACT:');
  return [verdict, ...words, ...ageOf(scene, colors)].join('  ');
}

/** Of a settled sale nobody says more. */
function ageOf({ event: { status }, readings }: Scene, colors: Colors): string[] {
  const age = readings?.auditAgeSeconds;
  if (age === undefined || status?.phase === 'Settled') return [];
  const words = `(audited ${Math.max(0, Math.round(age))} s ago)`;
  return [age > AUDIT_OLD_SECONDS ? colors.yellow(words) : words];
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
