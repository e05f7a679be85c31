/** The drawing of a plot: curves by uPlot, where runs overfitted, the cursor, zooming, keys. */
import uPlot from 'uplot';
import { faded, ink } from './colours.ts';
import { formatNumber, formatPlace } from './format.ts';
import { type Line, placesOf, smooth } from './lines.ts';
import { type Range, withoutOutliers, yRange } from './scales.ts';
import { type Axis, zoom } from './state.ts';

/** Where a run was best before it overfitted, on this plot's axis. */
export interface Mark {
  readonly run: string;
  readonly colour: string;
  readonly x: number;
  readonly y: number;
  /** Where the run has come to. */
  readonly end: number;
}

/** What curves are where the cursor is. */
export interface Reading {
  readonly x: number;
  /** In the plot's box, in pixels. */
  readonly left: number;
  readonly width: number;
  readonly rows: readonly { readonly line: Line; readonly value: number }[];
}

/** What was set and not measured has no noise. */
const isScheduled = (name: string): boolean => /^(learning.?rate|lr)\b/i.test(name);

export interface Drawn {
  update(lines: readonly Line[], smoothing: number, marks: readonly Mark[], range: Range | null): void;
  /** True where it was a key of the plot's. */
  key(event: KeyboardEvent): boolean;
  destroy(): void;
}

interface DrawOptions {
  readonly axis: Axis;
  readonly logarithmic: boolean;
  readonly clipped: boolean;
  readonly smoothed: boolean;
  readonly height: number;
  onRead(reading: Reading | null): void;
}

export function draw(box: HTMLElement, first: readonly Line[], { axis, logarithmic, clipped, smoothed, height, onRead }: DrawOptions): Drawn {
  let lines = first;
  let marks: readonly Mark[] = [];
  let seen: Range = { min: 0, max: 1 };
  /** Raw values lie faint behind their smoothed curve: two series a line then. */
  const perLine = smoothed ? 2 : 1;
  const width = 1.75;
  const font = '12px system-ui, sans-serif';
  const series: uPlot.Series[] = first.flatMap((line): uPlot.Series[] => {
    const common = { spanGaps: false, points: { show: false }, dash: [...line.dash] };
    const curve = { ...common, stroke: line.dash.length > 0 ? faded(line.colour, 0.8) : line.colour, width: line.dash.length > 0 ? width - 0.5 : width };
    // Few points are easily overlooked between gaps: they are dots.
    const dots = { show: (u: uPlot, index: number) => isSparse(u.data[index] as (number | null)[], 3), size: 6, fill: line.colour };
    return smoothed ? [{ ...common, dash: [], stroke: faded(line.colour, 0.28), width: 1 }, { ...curve, points: dots }] : [{ ...curve, points: dots }];
  });
  const axisStyle: uPlot.Axis = { stroke: () => ink('faint'), font, grid: { stroke: () => ink('line'), width: 1 }, ticks: { show: false } };
  const valueAt = (u: uPlot, index: number, idx: number): number | null | undefined => (u.data[index] as (number | null | undefined)[])[idx];

  const read = (u: uPlot): void => {
    const { left, idx } = u.cursor;
    // The cursor moves in all plots together; values are shown where the person looks.
    const looked = box.matches(':hover') || box === document.activeElement;
    if (!looked || left === undefined || left < 0 || idx === null || idx === undefined) return onRead(null);
    const rows = lines.flatMap((line, i) => {
      const index = i * perLine + perLine;
      const near = nearest(u.data[index] as (number | null | undefined)[], u.data[0], idx);
      return near === undefined ? [] : [{ line, value: valueAt(u, index, near) as number }];
    });
    onRead({ x: u.data[0][idx], left: left + u.bbox.left / devicePixelRatio, width: box.clientWidth, rows: rows.sort((a, b) => b.value - a.value) });
  };
  const drawMarks = (u: uPlot): void => {
    const { ctx, bbox } = u;
    const scale = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const mark of marks) {
      const x = u.valToPos(mark.x, 'x', true);
      const y = u.valToPos(mark.y, 'y', true);
      if (marks.length === 1) {
        ctx.fillStyle = faded(ink('warn'), 0.09);
        ctx.fillRect(x, bbox.top, u.valToPos(mark.end, 'x', true) - x, bbox.height);
      }
      // Of one run it is told in words; of several, by their colours.
      const colour = marks.length === 1 ? ink('warn') : mark.colour;
      ctx.strokeStyle = colour;
      ctx.lineWidth = 1.5 * scale;
      ctx.setLineDash([4 * scale, 3 * scale]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.beginPath();
      ctx.arc(x, y, 5 * scale, 0, 2 * Math.PI);
      ctx.fillStyle = ink('card');
      ctx.fill();
      ctx.strokeStyle = mark.colour;
      ctx.lineWidth = 2.5 * scale;
      ctx.stroke();
      ctx.font = `600 ${11 * scale}px system-ui, sans-serif`;
      ctx.fillStyle = colour;
      const text = marks.length === 1 ? 'best, overfitting since' : '⚑';
      const right = x + ctx.measureText(text).width + 8 * scale > bbox.left + bbox.width;
      ctx.textAlign = right ? 'right' : 'left';
      ctx.fillText(text, x + (right ? -6 : 6) * scale, bbox.top + 14 * scale);
    }
    ctx.restore();
  };

  const u = new uPlot(
    {
      width: box.clientWidth,
      height,
      legend: { show: false },
      padding: [10, 22, 0, 0],
      cursor: { sync: { key: 'whet-lab', scales: ['x', null] }, drag: { x: true, y: false, setScale: false }, points: { show: false }, y: false },
      scales: { x: { time: false, range: (_, min, max) => (min === max ? [min - 0.5, max + 0.5] : [min, max]) }, y: { distr: logarithmic ? 3 : 1, range: logarithmic ? undefined : (u, low, high) => yRange(...(clipped ? withoutOutliers(u, seen, low, high) : [low, high] as const)) } },
      axes: [
        { ...axisStyle, size: 30, values: (_, ticks) => ticks.map((value) => formatPlace(axis, value)), space: axis === 'time' ? 90 : 60 },
        { ...axisStyle, size: 58, values: (_, ticks) => ticks.map((value) => (value === null ? '' : formatNumber(value))) },
      ],
      series: [{}, ...series],
      hooks: {
        setCursor: [read],
        draw: [drawMarks],
        setSelect: [
          (u) => {
            if (u.select.width < 6) return;
            zoom.set({ min: u.posToVal(u.select.left, 'x'), max: u.posToVal(u.select.left + u.select.width, 'x') });
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          },
        ],
      },
    },
    [[], ...series.map(() => [])],
    box,
  );
  u.over.addEventListener('dblclick', () => zoom.set(null));
  const resize = new ResizeObserver(() => box.clientWidth > 0 && u.setSize({ width: box.clientWidth, height }));
  resize.observe(box);
  const move = (by: number): void => {
    const last = u.data[0].length - 1;
    const index = Math.max(0, Math.min(last, (u.cursor.idx ?? (by > 0 ? -1 : last + 1)) + by));
    u.setCursor({ left: u.valToPos(u.data[0][index], 'x'), top: 10 });
  };
  const zoomBy = (factor: number): void => {
    const { min = 0, max = 1 } = u.scales.x as { min?: number; max?: number };
    const middle = u.cursor.idx === null || u.cursor.idx === undefined ? (min + max) / 2 : u.data[0][u.cursor.idx];
    const next = { min: middle - (middle - min) * factor, max: middle + (max - middle) * factor };
    const all = next.min <= u.data[0][0] && next.max >= u.data[0][u.data[0].length - 1];
    zoom.set(all ? null : next);
  };
  const keys: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => move(-1),
    ArrowRight: () => move(1),
    Home: () => move(-Infinity),
    End: () => move(Infinity),
    '+': () => zoomBy(0.5),
    '=': () => zoomBy(0.5),
    '-': () => zoomBy(2),
    '0': () => zoom.set(null),
    Escape: () => zoom.set(null),
  };
  return {
    update(next, smoothing, nextMarks, range) {
      [lines, marks] = [next, nextMarks];
      const tables = lines.flatMap((line): uPlot.AlignedData[] => {
        const x = placesOf(line, axis)!;
        const raw = logarithmic ? line.points.values.map((value) => (value !== null && value > 0 ? value : null)) : line.points.values;
        return smoothed ? [[x, raw, smooth(raw, isScheduled(line.name) ? 0 : smoothing)]] : [[x, raw]];
      });
      // The places of one curve are no gaps in another.
      const data = tables.length === 0 ? ([[]] as unknown as uPlot.AlignedData) : uPlot.join(tables, tables.map((table) => table.map(() => 1 as const)));
      u.batch(() => {
        seen = range ?? { min: data[0][0] ?? 0, max: data[0].at(-1) ?? 1 };
        u.setData(data, false);
        u.setScale('x', seen);
      });
    },
    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return false;
      keys[event.key]();
      return true;
    },
    destroy() {
      resize.disconnect();
      u.destroy();
    },
  };
}

/** Whether fewer than so many points were drawn. */
function isSparse(values: readonly (number | null | undefined)[], fewest: number): boolean {
  let count = 0;
  for (const value of values) if (typeof value === 'number' && ++count >= fewest) return false;
  return true;
}

/** The curve's own point that is nearest to place `idx`, where there is one on both sides or at it. */
function nearest(values: readonly (number | null | undefined)[], places: ArrayLike<number>, idx: number): number | undefined {
  if (typeof values[idx] === 'number') return idx;
  let [before, after] = [idx, idx];
  while (before >= 0 && typeof values[before] !== 'number') before--;
  while (after < values.length && typeof values[after] !== 'number') after++;
  if (before < 0 || after >= values.length) return undefined;
  return places[idx] - places[before] < places[after] - places[idx] ? before : after;
}
