/** Curves of all runs that are shown, a plot for each group of names. */
import { useState } from 'preact/hooks';
import { Chart } from './chart.tsx';
import { revision, seriesOf } from './live.ts';
import { epochsOf, placesOf, plotsOf } from './lines.ts';
import { type Axis, change, runs, useSettings, useShownRuns, zoom } from './state.ts';
import { useStore } from './store.ts';

const axes: readonly Axis[] = ['step', 'time', 'epoch'];

export function Curves() {
  const all = useStore(runs);
  const shown = useShownRuns();
  const now = useStore(revision);
  const zoomed = useStore(zoom);
  const { axis, smoothing, logarithmic, clipped } = useSettings();
  const [filter, setFilter] = useState('');
  const [wide, setWide] = useState<string | null>(null);
  const hasEpochs = shown.some(({ name }) => epochsOf(seriesOf(name).get('epoch')) !== undefined);
  const plots = plotsOf(shown, all, filter).filter(({ lines }) => axis !== 'epoch' || lines.some((line) => placesOf(line, axis)));
  const waiting = shown.every(({ name }) => seriesOf(name).size === 0);
  return (
    <>
      <div class="toolbar" role="toolbar" aria-label="Curves">
        <div class="choice" role="radiogroup" aria-label="Horizontal axis">
          {axes.map((one) => (
            <label key={one} title={one === 'epoch' && !hasEpochs ? 'A run that logs a value named epoch has this axis' : undefined}>
              <input type="radio" name="axis" checked={axis === one} disabled={one === 'epoch' && !hasEpochs} onChange={() => (zoom.set(null), change({ axis: one }))} />
              <span>{one}</span>
            </label>
          ))}
        </div>
        <label class="slider">
          Smoothing
          <input type="range" min="0" max="0.99" step="0.01" value={smoothing} onInput={(event) => change({ smoothing: Number(event.currentTarget.value) })} />
          <output>{smoothing.toFixed(2)}</output>
        </label>
        <label class="tick"><input type="checkbox" checked={logarithmic} onChange={(event) => change({ logarithmic: event.currentTarget.checked })} /> Log scale</label>
        <label class="tick" title="Values far from all others are left outside the plot"><input type="checkbox" checked={clipped} onChange={(event) => change({ clipped: event.currentTarget.checked })} /> Clip outliers</label>
        <input type="search" placeholder="Filter curves" aria-label="Filter curves by name" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        {zoomed && <button class="quiet" onClick={() => zoom.set(null)}>Show all ⟲</button>}
        <p class="hint">Drag to zoom, double-click for all</p>
      </div>
      {plots.length === 0 && <div class="empty"><p>{waiting ? 'Nothing logged yet.' : axis === 'epoch' ? 'No run here logs a value named epoch.' : `No curve has “${filter}” in its name.`}</p></div>}
      <div class="grid">
        {plots.map((plot) => (
          <Chart key={plot.group} plot={plot} runs={shown} revision={now} wide={wide === plot.group} onWide={() => setWide(wide === plot.group ? null : plot.group)} />
        ))}
      </div>
    </>
  );
}
