/** What the server tells the page: as JSON, by request or as events. */
import type { Config } from './config.ts';
import type { HistogramBins } from './histogram.ts';
import type { Overfitting } from './overfit.ts';

/** `stopped`: the process is gone and never closed its run. */
export type RunStatus = 'running' | 'finished' | 'failed' | 'stopped';

export interface MetricSummary {
  readonly name: string;
  readonly last: number | null;
  /** The lowest or highest, as `direction` says. */
  readonly best: number | null;
  readonly bestStep: number;
}

export interface RunSummary {
  readonly name: string;
  readonly status: RunStatus;
  /** First opened and last written, in milliseconds since 1970. */
  readonly started: number;
  readonly updated: number;
  /** Time that it ran, pauses between its openings left out. */
  readonly seconds: number;
  /** The latest step; -1 before the first. */
  readonly step: number;
  /** How many times it was opened. */
  readonly openings: number;
  readonly config: Config;
  readonly metrics: readonly MetricSummary[];
  readonly overfitting: Overfitting | null;
  /** The first value that was NaN or infinite. */
  readonly notFinite: { readonly name: string; readonly step: number } | null;
  /** How many were logged so far: what a page asks for again when they grow. */
  readonly histograms: number;
  readonly samples: number;
  /** Lines that could not be read. */
  readonly damaged: number;
}

/** Points of a series from its `from`-th on, which take the place of what was there. A point may stand for several records. */
export interface SeriesPart {
  readonly name: string;
  readonly from: number;
  readonly steps: readonly number[];
  readonly seconds: readonly number[];
  /** Means; null where it is not finite. */
  readonly values: readonly (number | null)[];
}

export interface RunData {
  readonly run: string;
  readonly series: readonly SeriesPart[];
  /** Names that are gone: a resumed run may not log them again. */
  readonly removed: readonly string[];
}

export interface RunList {
  readonly runs: readonly RunSummary[];
  readonly removed: readonly string[];
}

export interface HistogramSeries {
  readonly name: string;
  readonly entries: readonly (HistogramBins & { readonly step: number })[];
}

export interface SampleSeries {
  readonly name: string;
  readonly kind: 'image' | 'text';
  readonly entries: readonly { readonly step: number; readonly id: string; readonly width?: number; readonly height?: number }[];
}
