/** Draws histograms over steps on a canvas; bins of different histograms are brought to one axis of values. */
import type { HistogramSeries } from '../../src/lab/shared/index.ts';
import { faded, ink } from './colours.ts';
import { formatNumber, formatStep } from './format.ts';

type Entry = HistogramSeries['entries'][number];

/** Where an entry was drawn, in pixels of the page: its base line for ridges, its middle for a heat map. */
export interface Placed {
  readonly index: number;
  readonly x: number;
  readonly y: number;
}

const mostRidges = 28;
const columns = 120;

/** Smallest and largest value of all; never the same. */
export function extentOf(entries: readonly Entry[]): [number, number] {
  const full = entries.filter(({ count }) => count > 0);
  if (full.length === 0) return [0, 1];
  const [low, high] = [Math.min(...full.map((entry) => entry.low)), Math.max(...full.map((entry) => entry.high))];
  const room = low === high ? Math.abs(low) / 10 || 0.5 : 0;
  return [low - room, high + room];
}

/** Share of values in each of `columns` columns from `low` to `high`: a bin that spans several is spread over them. */
export function densities({ low, high, counts, count }: Entry, [from, to]: readonly [number, number]): Float64Array {
  const shares = new Float64Array(columns);
  if (count === 0) return shares;
  const place = (value: number): number => ((value - from) / (to - from)) * columns;
  counts.forEach((binCount, i) => {
    // A bin without width still fills a column, also at the edge.
    const begin = Math.min(columns - 1, place(low + ((high - low) * i) / counts.length));
    const end = Math.max(begin + 1, place(low + ((high - low) * (i + 1)) / counts.length));
    for (let column = Math.max(0, Math.floor(begin)); column < Math.min(columns, end); column++) {
      const part = Math.min(end, column + 1) - Math.max(begin, column);
      shares[column] += (binCount / count) * (part / (end - begin));
    }
  });
  return shares;
}

function prepare(canvas: HTMLCanvasElement): { ctx: CanvasRenderingContext2D; width: number; height: number } {
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  const ctx = canvas.getContext('2d')!;
  ctx.scale(devicePixelRatio, devicePixelRatio);
  ctx.font = '11px system-ui, sans-serif';
  return { ctx, width, height };
}

function drawValues(ctx: CanvasRenderingContext2D, [low, high]: readonly [number, number], width: number, y: number, line: number): void {
  ctx.fillStyle = ink('faint');
  const marks = low < 0 && high > 0 ? [low, 0, high] : [low, (low + high) / 2, high];
  for (const value of marks) {
    const x = ((value - low) / (high - low)) * width;
    const away = Math.min(x, width - x) > 60 || value === low || value === high;
    if (!away) continue;
    ctx.textAlign = value === low ? 'left' : value === high ? 'right' : 'center';
    ctx.fillText(formatNumber(Number(value.toPrecision(3))), x, y);
    if (value === low || value === high) continue;
    ctx.fillStyle = ink('line');
    ctx.fillRect(x, 0, 1, line);
    ctx.fillStyle = ink('faint');
  }
}

/** Old at the top and faint, new at the bottom and strong. */
export function drawRidges(canvas: HTMLCanvasElement, entries: readonly Entry[], colour: string, chosen: number | null): Placed[] {
  const { ctx, width, height } = prepare(canvas);
  const extent = extentOf(entries);
  const count = Math.min(mostRidges, entries.length);
  const picked = Array.from({ length: count }, (_, i) => (count === 1 ? 0 : Math.round((i * (entries.length - 1)) / (count - 1))));
  const shares = picked.map((index) => densities(entries[index], extent));
  const peak = Math.max(...shares.map((one) => Math.max(...one)), 1e-9);
  const labels = 46;
  const [plotWidth, bottom] = [width - labels, height - 18];
  const tall = count === 1 ? bottom - 12 : Math.min(90, bottom * 0.42);
  const gap = count === 1 ? 0 : (bottom - tall - 4) / (count - 1);
  drawValues(ctx, extent, plotWidth, height - 3, bottom);
  let labelled = -Infinity;
  return picked.map((index, i) => {
    const base = bottom - (count - 1 - i) * gap;
    const isChosen = chosen !== null && index === nearestOf(picked, chosen);
    const age = count === 1 ? 1 : i / (count - 1);
    ctx.beginPath();
    ctx.moveTo(0, base);
    shares[i].forEach((share, column) => ctx.lineTo(((column + 0.5) / columns) * plotWidth, base - (share / peak) * tall));
    ctx.lineTo(plotWidth, base);
    ctx.closePath();
    ctx.fillStyle = ink('card');
    ctx.fill();
    ctx.fillStyle = faded(colour, isChosen ? 0.75 : 0.1 + 0.35 * age);
    ctx.fill();
    ctx.strokeStyle = isChosen ? ink('ink') : faded(colour, 0.35 + 0.65 * age);
    ctx.lineWidth = isChosen ? 2 : 1;
    ctx.stroke();
    if (isChosen || i === 0 || i === count - 1 || (chosen === null && base - labelled > 34 && bottom - base > 22)) {
      ctx.fillStyle = ink(isChosen ? 'ink' : 'faint');
      ctx.textAlign = 'left';
      ctx.fillText(formatStep(entries[index].step), plotWidth + 6, base);
      labelled = base;
    }
    return { index, x: 0, y: base };
  });
}

const nearestOf = (indices: readonly number[], index: number): number => indices.reduce((best, one) => (Math.abs(one - index) < Math.abs(best - index) ? one : best), indices[0]);

/** Steps from left to right, values from bottom to top, denser is stronger. */
export function drawHeat(canvas: HTMLCanvasElement, entries: readonly Entry[], colour: string, chosen: number | null): Placed[] {
  const { ctx, width, height } = prepare(canvas);
  const extent = extentOf(entries);
  const labels = 58;
  const [plotWidth, plotHeight] = [width - labels, height - 20];
  const cell = plotWidth / entries.length;
  const placed = entries.map((entry, index) => {
    const shares = densities(entry, extent);
    const peak = Math.max(...shares, 1e-9);
    shares.forEach((share, column) => {
      if (share === 0) return;
      ctx.fillStyle = faded(colour, 0.05 + 0.95 * Math.sqrt(share / peak));
      ctx.fillRect(labels + index * cell, plotHeight * (1 - (column + 1) / columns), Math.ceil(cell), plotHeight / columns + 0.6);
    });
    return { index, x: labels + (index + 0.5) * cell, y: 0 };
  });
  if (chosen !== null) {
    ctx.strokeStyle = ink('ink');
    ctx.lineWidth = 1.5;
    ctx.strokeRect(labels + chosen * cell, 1, Math.max(2, cell), plotHeight - 2);
  }
  ctx.fillStyle = ink('faint');
  ctx.textAlign = 'right';
  ctx.fillText(formatNumber(Number(extent[1].toPrecision(3))), labels - 6, 10);
  ctx.fillText(formatNumber(Number(extent[0].toPrecision(3))), labels - 6, plotHeight);
  if (extent[0] < 0 && extent[1] > 0) {
    const zero = plotHeight * (1 - (0 - extent[0]) / (extent[1] - extent[0]));
    if (zero > 24 && zero < plotHeight - 14) ctx.fillText('0', labels - 6, zero + 4);
  }
  ctx.textAlign = 'left';
  ctx.fillText(`step ${formatStep(entries[0].step)}`, labels, height - 4);
  ctx.textAlign = 'right';
  ctx.fillText(formatStep(entries[entries.length - 1].step), width, height - 4);
  return placed;
}
