/** Predictions on a terminal: a picture's name, and a bar for each class. */
import { basename } from 'node:path';
import type { Prediction } from '../index.ts';
import { bar, clip, formatMs, type Terminal } from './terminal.ts';

export interface Classified {
  readonly file: string;
  readonly predictions: readonly Prediction[];
}

const barWidth = 24;

/** Rounded as far as it means something; full digits are in the numbers of the model itself. */
export const toJson = ({ file, predictions }: Classified): Classified => ({
  file,
  predictions: predictions.map(({ label, index, probability }) => ({ label, index, probability: Number(probability.toPrecision(7)) })),
});

export function printPredictions({ file, predictions }: Classified, ms: number | undefined, labelWidth: number, terminal: Terminal): void {
  const { style } = terminal;
  terminal.print(`${style.strong(clip(basename(file), 60))}${ms === undefined ? '' : `  ${style.faint(formatMs(ms))}`}`);
  predictions.forEach(({ label, probability }, i) => {
    const name = clip(label, labelWidth).padEnd(labelWidth);
    const drawn = bar(probability, barWidth).padEnd(barWidth);
    const percent = `${(100 * probability).toFixed(1).padStart(5)} %`;
    terminal.print(`  ${i === 0 ? name : style.faint(name)}  ${style.accent(drawn)} ${i === 0 ? percent : style.faint(percent)}`);
  });
}

/** Wide enough for these labels, but not more than the line has. */
export const labelWidthFor = (results: readonly Classified[], terminal: Terminal): number =>
  Math.min(terminal.columns - barWidth - 14, Math.max(12, ...results.flatMap(({ predictions }) => predictions.map(({ label }) => label.length))));
