/** What all examples have in common: what `whet train` asks of one, and what it gives it. */
import type { CompileOptions } from 'whetstone/devices';
import type { FitOptions } from 'whetstone/train';
import type { ZooFiles } from 'whetstone/zoo';

export interface Example {
  readonly summary: string;
  /** Configurations by name; the first is what runs where none is asked for. */
  readonly configs: Readonly<Record<string, { readonly summary: string; readonly epochs: number }>>;
  /** Trains, and says what came of it. */
  train(setting: Setting): Promise<Report>;
}

export interface Setting {
  /** One of the example's. */
  readonly config: string;
  /** Instead of the configuration's. */
  readonly epochs?: number;
  /** Of first weights, order, dropout, and of data that are made. */
  readonly seed: number;
  /** A folder of one's own data, where the example takes one; else it fetches or makes them. */
  readonly data?: string;
  /** What models that are only run are compiled with. */
  readonly compile?: CompileOptions;
  /** Parts of `fit`'s options: who watches, where checkpoints are kept. Training in several phases names them. */
  watch(phase?: string): Watch;
  /** An entry of the zoo, fetched where it is not here. */
  fetch(name: string): Promise<ZooFiles>;
  /** Where files of results are written; it may not be there yet. */
  readonly out: string;
  /** Of long work that is no training: the total, then how much is done. */
  progress(label: string, total: number): (done: number) => void;
  /** A line of results. */
  print(line: string): void;
}

export type Watch = Pick<FitOptions<never>, 'callbacks' | 'recorder' | 'recordEvery' | 'histograms' | 'checkpoint' | 'resume' | 'anomaly' | 'signal'>;

/** Plain data, as JSON has them. */
export type Report = Readonly<Record<string, unknown>>;

export const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;
