/** Runs side by side: how each went, its best values, and what it was configured with. */
import type { Config, ConfigValue, MetricSummary, RunSummary } from '../../src/lab/shared/index.ts';
import { direction, splitOf } from '../../src/lab/shared/index.ts';
import { colourOf } from './colours.ts';
import { formatDate, formatNumber, formatSeconds, formatStep } from './format.ts';
import { change, runs, useSettings, useShownRuns } from './state.ts';
import { useStore } from './store.ts';

/** `{ a: { b: 1 } }` as `a.b`. */
function flatten(value: ConfigValue | Config | undefined, path = '', into = new Map<string, ConfigValue>()): Map<string, ConfigValue> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    for (const [name, inner] of Object.entries(value)) flatten(inner as ConfigValue, path === '' ? name : `${path}.${name}`, into);
  } else if (value !== undefined) into.set(path, value as ConfigValue);
  return into;
}

const showValue = (value: ConfigValue | undefined): string => (value === undefined ? '–' : typeof value === 'number' ? formatNumber(value) : typeof value === 'string' ? value : JSON.stringify(value));
const namesOf = (lists: readonly Iterable<string>[]): string[] => [...new Set(lists.flatMap((list) => [...list]))];

interface Row {
  readonly name: string;
  readonly cells: readonly { readonly text: string; readonly detail?: string; readonly best?: boolean }[];
}

function metricRows(shown: readonly RunSummary[]): Row[] {
  const find = (run: RunSummary, name: string): MetricSummary | undefined => run.metrics.find((metric) => metric.name === name);
  const rank = (name: string): number => (direction(name) === 'none' ? 2 : splitOf(name) === 'validation' ? 0 : 1);
  const names = namesOf(shown.map(({ metrics }) => metrics.map(({ name }) => name))).filter((name) => name !== 'epoch').sort((a, b) => rank(a) - rank(b));
  return names.map((name) => {
    const way = direction(name);
    const bests = shown.map((run) => find(run, name)?.best ?? null).filter((best) => best !== null);
    const winner = way === 'higher' ? Math.max(...bests) : Math.min(...bests);
    const cells = shown.map((run) => {
      const metric = find(run, name);
      if (!metric) return { text: '–' };
      if (metric.best === null) return { text: formatNumber(metric.last), detail: 'last' };
      return { text: formatNumber(metric.best), detail: `step ${formatStep(metric.bestStep)}, last ${formatNumber(metric.last)}`, best: bests.length > 1 && metric.best === winner };
    });
    return { name: way === 'none' ? name : `${way === 'higher' ? 'highest' : 'lowest'} ${name}`, cells };
  });
}

export function Compare() {
  const shown = useShownRuns();
  const all = useStore(runs);
  const { differences } = useSettings();
  const configs = shown.map(({ config }) => flatten(config));
  const differs = (name: string): boolean => new Set(configs.map((config) => JSON.stringify(config.get(name)))).size > 1;
  const names = namesOf(configs.map((config) => config.keys()));
  const listed = differences && shown.length > 1 ? names.filter(differs) : names;
  const configRows = listed.map((name): Row & { differs: boolean } => ({ name, differs: differs(name), cells: configs.map((config) => ({ text: showValue(config.get(name)) })) }));
  const facts: Row[] = [
    { name: 'status', cells: shown.map(({ status, overfitting }) => ({ text: status, detail: overfitting ? `overfits since step ${formatStep(overfitting.step)}` : undefined })) },
    { name: 'steps', cells: shown.map(({ step }) => ({ text: formatStep(step) })) },
    { name: 'time', cells: shown.map(({ seconds }) => ({ text: formatSeconds(seconds) })) },
    { name: 'started', cells: shown.map(({ started, openings }) => ({ text: formatDate(started), detail: openings > 1 ? `opened ${openings} times` : undefined })) },
  ];
  const body = (heading: string, rows: readonly (Row & { readonly differs?: boolean })[], empty: string) => (
    <tbody>
      <tr class="heading"><th scope="rowgroup" colSpan={shown.length + 1}>{heading}</th></tr>
      {rows.length === 0 && <tr><td class="nothing" colSpan={shown.length + 1}>{empty}</td></tr>}
      {rows.map(({ name, cells, differs }) => (
        <tr key={name} class={differs && shown.length > 1 ? 'differs' : ''}>
          <th scope="row">{name}</th>
          {cells.map(({ text, detail, best }, i) => (
            <td key={shown[i].name} class={best ? 'best' : ''}>{best && <span aria-label="best of these runs">★ </span>}{text}{detail && <small>{detail}</small>}</td>
          ))}
        </tr>
      ))}
    </tbody>
  );
  return (
    <>
      <div class="toolbar" role="toolbar" aria-label="Comparison">
        <label class="tick"><input type="checkbox" checked={differences} onChange={(event) => change({ differences: event.currentTarget.checked })} /> Only what differs in the configuration</label>
      </div>
      <div class="card table">
        <table>
          <thead>
            <tr>
              <td />
              {shown.map(({ name }) => <th key={name} scope="col" style={{ '--run': colourOf(name, all) }}><i class="dot" aria-hidden="true" />{name}</th>)}
            </tr>
          </thead>
          {body('Run', facts, '')}
          {body('Best values', metricRows(shown), 'Nothing logged yet.')}
          {body('Configuration', configRows, names.length === 0 ? "openRun(name, { config }) shows a run's hyperparameters here." : 'The same in all of these runs.')}
        </table>
      </div>
    </>
  );
}
