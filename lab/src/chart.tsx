/** One plot: its curves, what they are at the cursor, the part that is zoomed in, and where a run overfitted. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { RunSummary } from '../../src/lab/shared/index.ts';
import { type Drawn, draw, type Mark, type Reading } from './draw.ts';
import { formatNumber, formatPlace, formatStep, title } from './format.ts';
import { type Line, placesOf, type Plot } from './lines.ts';
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

const height = 250;
const wideHeight = 420;

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
        <button class="quiet" onClick={onWide} aria-pressed={wide} aria-label={`Larger plot of ${plot.group}`} title={wide ? 'Smaller' : 'Larger'}>{wide ? '⤡' : '⤢'}</button>
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
