/** One plot: its curves, what they are at the cursor, the part that is zoomed in, and where a run overfitted. */
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { RunSummary } from '../../src/lab/shared/index.ts';
import { faded, ink } from './colours.ts';
import { formatNumber, formatSeconds, formatStep, title } from './format.ts';
import { type Line, placesOf, type Plot, smooth } from './lines.ts';
import { type Axis, useSettings, zoom } from './state.ts';
import { useStore } from './store.ts';

interface ChartProps {
  readonly plot: Plot;
  readonly runs: readonly RunSummary[];
  /** Grows with the data. */
  readonly revision: number;
  readonly wide: boolean;
  onWide(): void;
}

/** Where a run was best before it overfitted, on this plot's axis. */
interface Mark {
  readonly run: string;
  readonly colour: string;
  readonly x: number;
  readonly y: number;
  /** Where the run has come to. */
  readonly end: number;
}

const height = 250;
const wideHeight = 420;

const formatPlace = (axis: Axis, value: number): string => (axis === 'time' ? formatSeconds(value) : axis === 'epoch' ? formatNumber(Number(value.toFixed(2))) : formatStep(Math.round(value)));

export function Chart({ plot, runs, revision, wide, onWide }: ChartProps) {
  const { axis, smoothing, logarithmic, clipped } = useSettings();
  const range = useStore(zoom);
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<Drawn>(null);
  const visible = useVisible(box);
  const [at, setAt] = useState<Reading | null>(null);

  const lines = plot.lines.filter((line) => placesOf(line, axis) !== undefined);
  const shape = JSON.stringify([lines.map(({ run, name, colour }) => [run, name, colour]), smoothing > 0, logarithmic, clipped, axis, wide]);
  useEffect(() => {
    if (!box.current || !visible) return undefined;
    const drawn = draw(box.current, lines, { axis, logarithmic, clipped, smoothed: smoothing > 0, height: wide ? wideHeight : height, onRead: setAt });
    chart.current = drawn;
    return () => {
      drawn.destroy();
      chart.current = null;
    };
  }, [shape, visible]);
  useEffect(() => {
    chart.current?.update(lines, smoothing, marksOf(lines, runs, axis), range);
  }, [revision, shape, visible, smoothing, range, runs]);

  const warned = runs.filter(({ overfitting }) => overfitting && lines.some(({ name }) => name === overfitting.name));
  return (
    <section class={`card chart ${wide ? 'wide' : ''}`} aria-label={`Plot of ${plot.group}`}>
      <header>
        <h3>{title(plot.group)}</h3>
        <ul class="labels" aria-label="Line styles">
          {plot.labels.length > 1 && plot.labels.map(({ label, dash }) => (
            <li key={label}>
              <svg width="22" height="6" aria-hidden="true"><line x1="1" y1="3" x2="21" y2="3" stroke="currentColor" stroke-width="2" stroke-dasharray={dash.join(' ') || undefined} /></svg>
              {label}
            </li>
          ))}
        </ul>
        <button class="quiet" onClick={onWide} aria-pressed={wide} title={wide ? 'Smaller' : 'Larger'}>{wide ? '⤡' : '⤢'}</button>
      </header>
      <div
        class="canvas"
        ref={box}
        tabIndex={0}
        role="img"
        aria-label={`${describe(plot, runs)} Arrow keys move the cursor, plus and minus zoom, 0 shows all.`}
        style={{ height: `${wide ? wideHeight : height}px` }}
        onKeyDown={(event) => chart.current?.key(event) && event.preventDefault()}
        onBlur={() => setAt(null)}
      />
      {at && <Readout at={at} axis={axis} labels={plot.labels} />}
      {warned.length > 0 && (
        <ul class="note" aria-label="Overfitting">
          {warned.map(({ name, overfitting }) => overfitting && (
            <li key={name}>
              <b><span aria-hidden="true">⚑</span> {name}</b> overfits since step {formatStep(overfitting.step)}: {title(overfitting.name.replace('/', ' '))} rose from {formatNumber(overfitting.value)} to {formatNumber(overfitting.now)}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

const describe = ({ group, lines }: Plot, runs: readonly RunSummary[]): string =>
  `${group}: ${lines.map(({ run, name }) => `${name} of ${run} is ${formatNumber(runs.find((one) => one.name === run)?.metrics.find((metric) => metric.name === name)?.last)}`).join(', ')}.`;

/** What was set and not measured has no noise. */
const isScheduled = (name: string): boolean => /^(learning.?rate|lr)\b/i.test(name);

/** Curves that nobody sees are not drawn. */
function useVisible(box: { current: HTMLDivElement | null }): boolean {
  const [visible, setVisible] = useState(false);
  useEffect(() => {
    if (!box.current) return undefined;
    const observer = new IntersectionObserver((entries) => setVisible(entries.at(-1)!.isIntersecting), { rootMargin: '200px' });
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  return visible;
}

/** What curves are where the cursor is. */
interface Reading {
  readonly x: number;
  /** In the plot's box, in pixels. */
  readonly left: number;
  readonly width: number;
  readonly rows: readonly { readonly line: Line; readonly value: number }[];
}

/** A row for each run, a column for each of its curves. */
function Readout({ at, axis, labels }: { at: Reading; axis: Axis; labels: Plot['labels'] }) {
  const side = at.left > at.width / 2 ? { right: `${at.width - at.left + 28}px` } : { left: `${at.left + 28}px` };
  const runs = [...new Set(at.rows.map(({ line }) => line.run))];
  return (
    <div class="readout" style={side} role="status">
      <table>
        <thead>
          <tr>
            <th scope="col">{axis === 'time' ? 'after' : axis} {formatPlace(axis, at.x)}</th>
            {labels.map(({ label }) => <th key={label} scope="col">{labels.length > 1 && label}</th>)}
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => {
            const ofRun = at.rows.filter(({ line }) => line.run === run);
            return (
              <tr key={run}>
                <th scope="row" style={{ '--run': ofRun[0].line.colour }}><i class="dot" aria-hidden="true" />{run}</th>
                {labels.map(({ label }) => <td key={label}>{formatNumber(ofRun.find(({ line }) => line.label === label)?.value)}</td>)}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function marksOf(lines: readonly Line[], runs: readonly RunSummary[], axis: Axis): Mark[] {
  return runs.flatMap(({ name, overfitting }) => {
    const line = overfitting && lines.find((one) => one.run === name && one.name === overfitting.name);
    const places = line && placesOf(line, axis);
    const index = line?.points.steps.findIndex((step) => step >= overfitting!.step) ?? -1;
    return line && places && index >= 0 ? [{ run: name, colour: line.colour, x: places[index], y: overfitting!.value, end: places[places.length - 1] }] : [];
  });
}

interface Range {
  readonly min: number;
  readonly max: number;
}

interface Drawn {
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

function draw(box: HTMLElement, first: readonly Line[], { axis, logarithmic, clipped, smoothed, height, onRead }: DrawOptions): Drawn {
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
    const dots = { show: (u: uPlot, index: number) => (u.data[index] as (number | null)[]).filter((value) => typeof value === 'number').length < 3, size: 6, fill: line.colour };
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
  /** Colours are read anew when it turns dark. */
  const repaint = (): void => u.redraw(false, true);
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  scheme.addEventListener('change', repaint);

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
      scheme.removeEventListener('change', repaint);
      u.destroy();
    },
  };
}

/** Some room above and below; a flat line in the middle. */
function yRange(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  // A mean of equal numbers differs from them in its last digits.
  if (high - low <= 1e-9 * Math.max(Math.abs(low), Math.abs(high))) return low === 0 ? [-1, 1] : low > 0 ? [0, 2 * low] : [2 * low, 0];
  const spread = high - low;
  const [bottom, top] = [low - spread * 0.06, high + spread * 0.06];
  return [low >= 0 && bottom < 0 ? 0 : bottom, top];
}

const farInQuartiles = 8;

/** Lowest and highest but for what is far from the middle half of all that is seen (J. Tukey's fences, set wide). */
function withoutOutliers(u: uPlot, { min, max }: Range, low: number | null, high: number | null): readonly [number | null, number | null] {
  const [places, ...curves] = u.data;
  const seen = curves.flatMap((values) => [...values].filter((value, i): value is number => typeof value === 'number' && places[i] >= min && places[i] <= max)).sort((a, b) => a - b);
  if (low === null || high === null || seen.length < 8) return [low, high];
  const [first, third] = [seen[seen.length >> 2], seen[(seen.length * 3) >> 2]];
  const fence = farInQuartiles * (third - first);
  if (fence === 0) return [low, high];
  return [seen.find((value) => value >= first - fence)!, seen.findLast((value) => value <= third + fence)!];
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
