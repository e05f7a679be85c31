/** What one page is told as it happens: summaries of runs that changed, and new points of the runs that it shows. */
import type { RunData, RunList, RunSummary, SeriesPart } from './shared/index.ts';
import type { Series } from './series.ts';
import type { Watcher } from './watch.ts';
import type { RunView } from './view.ts';

export interface Feed {
  /** What is new since the last call: everything at the first one. */
  next(): { readonly list: RunList | undefined; readonly data: readonly RunData[] };
}

const nullable = (values: readonly number[]): (number | null)[] => values.map((value) => (Number.isFinite(value) ? value : null));

export const partOf = (name: string, { steps, seconds, values }: Series, from: number): SeriesPart => ({
  name,
  from,
  steps: steps.slice(from),
  seconds: seconds.slice(from).map((value) => Math.round(value * 1000) / 1000),
  values: nullable(values.slice(from)),
});

interface Cursor {
  series: Series;
  generation: number;
  /** The last point may have changed and is sent again. */
  sent: number;
}

export function makeFeed(watcher: Watcher, shown: ReadonlySet<string>): Feed {
  let first = true;
  const versions = new Map<string, number>();
  const cursors = new Map<string, { view: RunView; at: Map<string, Cursor> }>();

  const newParts = (view: RunView): RunData => {
    let known = cursors.get(view.name);
    if (known?.view !== view) cursors.set(view.name, (known = { view, at: new Map(known?.at) }));
    const { at } = known;
    const parts: SeriesPart[] = [];
    for (const [name, series] of view.series) {
      const cursor = at.get(name);
      const unchanged = cursor?.series === series && cursor.generation === series.generation;
      const from = unchanged ? Math.max(0, cursor.sent - 1) : 0;
      parts.push(partOf(name, series, from));
      at.set(name, { series, generation: series.generation, sent: series.steps.length });
    }
    const removed = [...at.keys()].filter((name) => !view.series.has(name));
    for (const name of removed) at.delete(name);
    return { run: view.name, series: parts, removed };
  };
  return {
    next() {
      const runs: RunSummary[] = [];
      const data: RunData[] = [];
      for (const [name, { version, summary, view }] of watcher.runs) {
        const newView = cursors.get(name)?.view !== view && shown.has(name);
        if (versions.get(name) === version && !newView) continue;
        versions.set(name, version);
        runs.push(summary);
        if (shown.has(name)) data.push(newParts(view));
      }
      const removed = [...versions.keys()].filter((name) => !watcher.runs.has(name));
      for (const name of removed) versions.delete(name);
      const list = first || runs.length > 0 || removed.length > 0 ? { runs, removed } : undefined;
      first = false;
      return { list, data };
    },
  };
}
