/** How weights and gradients are distributed, step after step: as ridges or as a heat map. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { groupOf, type HistogramSeries } from '../../src/lab/shared/index.ts';
import { colourOf } from './colours.ts';
import { address, useFetched } from './fetched.ts';
import { formatNumber, formatStep, title } from './format.ts';
import { drawHeat, drawRidges, extentOf, type Placed } from './ridges.ts';
import { change, runs, useSettings, useShownRuns } from './state.ts';
import { useStore } from './store.ts';

export function Histograms() {
  const shown = useShownRuns().filter(({ histograms }) => histograms > 0);
  const all = useStore(runs);
  const { ridges } = useSettings();
  const [chosen, setChosen] = useState<string>();
  const [filter, setFilter] = useState('');
  const run = shown.find(({ name }) => name === chosen) ?? shown[0];
  const path = run && address(run.name, 'histograms');
  const series = useFetched<readonly HistogramSeries[]>(path ? [{ path, count: run.histograms }] : []).get(path ?? '') ?? [];
  if (!run) {
    return (
      <div class="empty">
        <h2>No histograms</h2>
        <p>Distributions that a run logs show here: of weights, of gradients, of anything.</p>
        <pre>{`run.histogram('weights/fc.weight', values, step);`}</pre>
      </div>
    );
  }
  const found = series.filter(({ name }) => name.toLowerCase().includes(filter.toLowerCase()));
  const groups = [...new Set(found.map(({ name }) => groupOf(name)))];
  const colour = colourOf(run.name, all);
  return (
    <>
      <div class="toolbar" role="toolbar" aria-label="Histograms">
        <label class="select">
          Run
          <select value={run.name} onChange={(event) => setChosen(event.currentTarget.value)}>{shown.map(({ name }) => <option key={name}>{name}</option>)}</select>
        </label>
        <div class="choice" role="radiogroup" aria-label="Drawn as">
          {[true, false].map((one) => (
            <label key={`${one}`}><input type="radio" name="ridges" checked={ridges === one} onChange={() => change({ ridges: one })} /><span>{one ? 'ridges' : 'heat map'}</span></label>
          ))}
        </div>
        <input type="search" placeholder="Filter histograms" aria-label="Filter histograms by name" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
      </div>
      {groups.map((group) => (
        <section key={group} class="of-run" aria-label={group}>
          <h2>{title(group)}</h2>
          <div class="grid">
            {found.filter(({ name }) => groupOf(name) === group).map((one) => <Histogram key={one.name} series={one} colour={colour} ridges={ridges} />)}
          </div>
        </section>
      ))}
    </>
  );
}

function Histogram({ series: { name, entries }, colour, ridges }: { series: HistogramSeries; colour: string; ridges: boolean }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const placed = useRef<readonly Placed[]>([]);
  const [index, setIndex] = useState<number | null>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(() => setWidth(canvas.current?.clientWidth ?? 0));
    observer.observe(canvas.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (canvas.current && width > 0) placed.current = (ridges ? drawRidges : drawHeat)(canvas.current, entries, colour, index);
  }, [entries, colour, ridges, index, width]);
  const point = (event: PointerEvent): void => {
    const box = canvas.current!.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const distance = (one: Placed): number => Math.abs(ridges ? one.y - y : one.x - x);
    setIndex(placed.current.reduce<Placed | undefined>((best, one) => (!best || distance(one) < distance(best) ? one : best), undefined)?.index ?? null);
  };
  const turn = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    setIndex(Math.max(0, Math.min(entries.length - 1, (index ?? entries.length - 1) + by)));
  };
  const entry = entries[index ?? entries.length - 1];
  const [low, high] = extentOf(entries);
  return (
    <section class="card histogram" aria-label={`Histogram of ${name}`}>
      <header>
        <h3>{name.slice(groupOf(name).length + 1) || name}</h3>
        <span class="facts">{index === null ? 'latest, ' : ''}step {formatStep(entry.step)}</span>
      </header>
      <canvas
        ref={canvas}
        tabIndex={0}
        role="img"
        aria-label={`${entries.length} distributions of ${name}, values from ${formatNumber(low)} to ${formatNumber(high)}. Arrow keys choose a step.`}
        onPointerMove={point}
        onPointerLeave={() => setIndex(null)}
        onKeyDown={turn}
        onBlur={() => setIndex(null)}
      />
      <p class="facts" role="status">
        mean {formatNumber(entry.mean)} · deviation {formatNumber(entry.deviation)} · {formatNumber(entry.low)} to {formatNumber(entry.high)}
        {entry.bad > 0 && <b class="badge bad">{formatStep(entry.bad)} not finite</b>}
      </p>
    </section>
  );
}
