/** The list of runs: search, tick, and how each is doing. */
import { useState } from 'preact/hooks';
import type { RunStatus, RunSummary } from '../../src/lab/shared/index.ts';
import { colourOf } from './colours.ts';
import { formatDate, formatNumber, formatSeconds, formatStep, title } from './format.ts';
import { isShown, runs, show, useShownRuns } from './state.ts';
import { useStore } from './store.ts';

const statuses: Readonly<Record<RunStatus, string>> = { running: 'running', finished: 'finished', failed: 'failed', stopped: 'stopped without closing' };

/** The one number of a run that says most: the best validation metric, or the best there is. */
function headline({ metrics }: RunSummary): string | undefined {
  const rated = metrics.filter(({ best }) => best !== null);
  const one = rated.find(({ name }) => /accuracy/i.test(name) && /val|test/i.test(name)) ?? rated.find(({ name }) => /val|test/i.test(name)) ?? rated[0];
  return one && `best ${title(one.name.replace('/', ' '))} ${formatNumber(one.best)}`;
}

export function Sidebar({ onDone }: { onDone(): void }) {
  const all = useStore(runs);
  const shown = useShownRuns();
  const [search, setSearch] = useState('');
  const found = all.filter(({ name }) => name.toLowerCase().includes(search.toLowerCase()));
  const allShown = found.length > 0 && found.every(({ name }) => isShown(name));
  return (
    <aside id="runs" aria-label="Runs" onKeyDown={(event) => event.key === 'Escape' && onDone()}>
      <div class="search">
        <input type="search" placeholder={`Search ${all.length} ${all.length === 1 ? 'run' : 'runs'}`} aria-label="Search runs" value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
        <label class="all" hidden={all.length === 0}>
          <input
            type="checkbox"
            aria-label="All runs found"
            checked={allShown}
            ref={(box) => void (box && (box.indeterminate = !allShown && found.some(({ name }) => isShown(name))))}
            onChange={(event) => show(found.map(({ name }) => name), event.currentTarget.checked)}
          />
          {shown.length} of {all.length} shown
        </label>
      </div>
      <ul>{found.map((run) => <Entry key={run.name} run={run} all={all} />)}</ul>
      {all.length > 0 && found.length === 0 && <p class="nothing">No run has “{search}” in its name.</p>}
    </aside>
  );
}

function Entry({ run, all }: { run: RunSummary; all: readonly RunSummary[] }) {
  const { name, status, step, seconds, overfitting, notFinite, started, damaged, openings } = run;
  const best = headline(run);
  return (
    <li class={isShown(name) ? 'shown' : ''}>
      <label style={{ '--run': colourOf(name, all) }}>
        <input type="checkbox" checked={isShown(name)} onChange={(event) => show([name], event.currentTarget.checked)} />
        <span class="name">{name}</span>
        <span class={`state ${status}`} title={`Started ${formatDate(started)}${openings > 1 ? `, opened ${openings} times` : ''}`}><i aria-hidden="true" />{statuses[status]}</span>
        <span class="facts">step {formatStep(step)} · {formatSeconds(seconds)}</span>
        {best && <span class="facts">{best}</span>}
        <span class="badges">
          {overfitting && <b class="badge warn" title={`Best at step ${overfitting.step}; has risen since while training goes on falling`}>⚑ overfits since {formatStep(overfitting.step)}</b>}
          {notFinite && <b class="badge bad">{notFinite.name} not finite at {formatStep(notFinite.step)}</b>}
          {damaged > 0 && <b class="badge bad" title="Lines of its log that could not be read were left out">{damaged} damaged {damaged === 1 ? 'line' : 'lines'}</b>}
        </span>
      </label>
    </li>
  );
}
