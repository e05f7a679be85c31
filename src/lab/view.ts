/** A run as it is shown, made from its records in the order they were written. Where it was resumed, new steps take the place of old ones. */
import type { OpenRecord, LogRecord } from './record.ts';
import { makeSeries, makeThinned, type Series, type Thinned } from './series.ts';
import {
  type Config, direction, findOverfitting, type HistogramSeries, metricOf, type MetricSummary, type Overfitting, type RunStatus, type RunSummary, type SampleSeries, splitOf,
} from './shared/index.ts';

/** A line of a log file, where it is. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

export interface RunView {
  readonly name: string;
  readonly series: ReadonlyMap<string, Series>;
  /** The process that wrote last. */
  readonly opened: OpenRecord | undefined;
  /** `undefined` where the line could not be read. */
  add(record: LogRecord | undefined, place: Place): void;
  histograms(): HistogramSeries[];
  samples(): SampleSeries[];
  /** Where a sample's record is. */
  place(id: string): Place | undefined;
  /** Given whether the process that wrote last still lives. */
  status(alive: boolean): RunStatus;
  summary(alive: boolean): RunSummary;
}

/** More names than these are not shown. */
const mostNames = 1000;
const mostHistograms = 120;
const mostSamples = 200;

const numberOf = (value: number | string): number => (typeof value === 'number' ? value : Number(value));
type Histogram = HistogramSeries['entries'][number];
type Sample = SampleSeries['entries'][number] & { readonly place: Place };

export function makeView(name: string): RunView {
  const series = new Map<string, Series>();
  const histograms = new Map<string, Thinned<Histogram>>();
  const samples = new Map<string, Thinned<Sample> & { readonly kind: 'image' | 'text' }>();
  let [opened, ending]: [OpenRecord | undefined, 'finished' | 'failed' | undefined] = [undefined, undefined];
  let config: Config = {};
  let [started, updated, seconds, step, openings, damaged, histogramCount, sampleCount] = [0, 0, 0, -1, 0, 0, 0, 0];
  /** Seconds that the run had when it was last opened, and whether a step was logged since. */
  let [secondsBefore, fresh] = [0, false];
  let notFinite: { name: string; step: number } | null = null;

  const findOrMake = <T>(map: Map<string, T>, key: string, make: () => T): T | undefined => {
    const found = map.get(key);
    if (found !== undefined || map.size >= mostNames) return found;
    const made = make();
    map.set(key, made);
    return made;
  };
  /** The first step after an opening: what was logged from there on before is no more. */
  const cut = (from: number): void => {
    for (const map of [series, histograms, samples] as Map<string, Series | Thinned<Histogram> | Thinned<Sample>>[]) {
      for (const [key, list] of map) {
        list.cut(from);
        if ((('steps' in list) ? list.steps : list.entries).length === 0) map.delete(key);
      }
    }
    step = Math.min(step, from - 1);
    secondsBefore = Math.max(0, ...[...series.values()].map((one) => one.seconds.at(-1) ?? 0));
    if (notFinite && notFinite.step >= from) notFinite = null;
  };
  const open = (record: OpenRecord): void => {
    started ||= record.time;
    secondsBefore = seconds;
    config = { ...config, ...record.config };
    [opened, ending, fresh] = [record, undefined, true];
    openings++;
  };
  const atStep = (record: Exclude<LogRecord, { kind: 'open' | 'close' }>, place: Place): void => {
    if (fresh && openings > 1) cut(record.step);
    fresh = false;
    step = Math.max(step, record.step);
    seconds = Math.max(secondsBefore, secondsBefore + (record.time - (opened?.time ?? record.time)) / 1000);
    if (record.kind === 'scalars') {
      for (const [key, value] of Object.entries(record.values)) {
        const number = numberOf(value);
        if (!Number.isFinite(number)) notFinite ??= { name: key, step: record.step };
        findOrMake(series, key, makeSeries)?.add(record.step, seconds, number);
      }
    } else if (record.kind === 'histogram') {
      const { kind: _, name: key, time: __, ...bins } = record;
      findOrMake(histograms, key, () => makeThinned<Histogram>(mostHistograms))?.add(bins);
      histogramCount++;
    } else {
      const { kind } = record;
      const id = `${place.segment}-${place.offset}`;
      const size = record.kind === 'image' ? { width: record.width, height: record.height } : {};
      findOrMake(samples, `${kind} ${record.name}`, () => ({ ...makeThinned<Sample>(mostSamples), kind }))?.add({ step: record.step, id, place, ...size });
      sampleCount++;
    }
  };
  const status = (alive: boolean): RunStatus => ending ?? (alive ? 'running' : 'stopped');
  const overfitting = (): Overfitting | null => {
    for (const [validationName, validation] of series) {
      if (splitOf(validationName) !== 'validation' || direction(validationName) !== 'lower') continue;
      const metric = metricOf(validationName);
      const train = [...series].find(([other]) => splitOf(other) === 'train' && metricOf(other) === metric)?.[1];
      const found = train && findOverfitting(train, validation);
      if (found) return { metric, name: validationName, ...found };
    }
    return null;
  };

  return {
    name,
    series,
    get opened() {
      return opened;
    },
    status,
    add(record, place) {
      if (record === undefined) return void damaged++;
      updated = Math.max(updated, record.time);
      if (record.kind === 'open') open(record);
      else if (record.kind === 'close') ending = record.ok ? 'finished' : 'failed';
      else atStep(record, place);
    },
    histograms: () => [...histograms].map(([key, { entries }]) => ({ name: key, entries })),
    samples: () =>
      [...samples].map(([key, { kind, entries }]) => ({
        name: key.slice(kind.length + 1),
        kind,
        entries: entries.map(({ place: _, ...entry }) => entry),
      })),
    place: (id) => [...samples.values()].flatMap(({ entries }) => entries).find((entry) => entry.id === id)?.place,
    summary(alive) {
      return {
        name, status: status(alive), started, updated, seconds, step, openings, config, notFinite, damaged,
        metrics: [...series].map(([key, one]) => summarise(key, one)),
        overfitting: overfitting(),
        histograms: histogramCount,
        samples: sampleCount,
      };
    },
  };
}

function summarise(name: string, { steps, values }: Series): MetricSummary {
  const way = direction(name);
  let best = -1;
  if (way !== 'none') {
    values.forEach((value, i) => {
      if (Number.isFinite(value) && (best < 0 || (way === 'lower' ? value < values[best] : value > values[best]))) best = i;
    });
  }
  const last = values.at(-1);
  return { name, last: last !== undefined && Number.isFinite(last) ? last : null, best: best < 0 ? null : values[best], bestStep: best < 0 ? -1 : steps[best] };
}
