/** The page: runs at the side, and of those that are ticked, curves, histograms, samples or a comparison. */
import { useEffect, useState } from 'preact/hooks';
import { isDark } from './colours.ts';
import { Compare } from './compare.tsx';
import { Curves } from './curves.tsx';
import { useFetched } from './fetched.ts';
import { Histograms } from './histograms.tsx';
import { type Connection, connection } from './live.ts';
import { Samples } from './samples.tsx';
import { Sidebar } from './sidebar.tsx';
import { change, runs, type Theme, useSettings, useShownRuns, type View } from './state.ts';
import { useStore } from './store.ts';

const views: Readonly<Record<View, { readonly label: string; readonly Body: () => preact.JSX.Element }>> = {
  curves: { label: 'Curves', Body: Curves },
  histograms: { label: 'Histograms', Body: Histograms },
  samples: { label: 'Samples', Body: Samples },
  compare: { label: 'Compare', Body: Compare },
};
const names = Object.keys(views) as View[];

const themes: Readonly<Record<Theme, { readonly next: Theme; readonly sign: string; readonly label: string }>> = {
  auto: { next: 'light', sign: '◐', label: 'Theme: as the system' },
  light: { next: 'dark', sign: '☀', label: 'Theme: light' },
  dark: { next: 'auto', sign: '☾', label: 'Theme: dark' },
};

export function App() {
  const { view, theme } = useSettings();
  const shown = useShownRuns();
  const [open, setOpen] = useState(false);
  const [systemDark, setSystemDark] = useState(isDark);
  useEffect(() => {
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    const follow = (): void => setSystemDark(scheme.matches);
    scheme.addEventListener('change', follow);
    return () => scheme.removeEventListener('change', follow);
  }, []);
  document.documentElement.dataset.theme = theme;
  const { Body } = views[view];
  const turn = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    const next = names[(names.indexOf(view) + by + names.length) % names.length];
    change({ view: next });
    document.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
  };
  return (
    <div class={`page ${open ? 'runs-open' : ''}`}>
      <header class="top">
        <button class="quiet menu" aria-expanded={open} aria-controls="runs" onClick={() => setOpen(!open)}>Runs</button>
        <h1><Mark /> Whetstone <span>lab</span></h1>
        <nav role="tablist" aria-label="Views" onKeyDown={turn}>
          {names.map((name) => (
            <button key={name} id={`tab-${name}`} role="tab" aria-selected={name === view} aria-controls="view" tabIndex={name === view ? 0 : -1} onClick={() => change({ view: name })}>
              {views[name].label}
            </button>
          ))}
        </nav>
        <Status />
        <button class="quiet theme" aria-label={themes[theme].label} title={themes[theme].label} onClick={() => change({ theme: themes[theme].next })}>{themes[theme].sign}</button>
      </header>
      <Sidebar onDone={() => setOpen(false)} />
      <main>
        <div id="view" role="tabpanel" aria-labelledby={`tab-${view}`} key={`${view} ${theme} ${systemDark}`}>{shown.length === 0 ? <Empty /> : <Body />}</div>
      </main>
    </div>
  );
}

const Mark = () => (
  <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
    <rect width="32" height="32" rx="7" fill="var(--accent)" />
    <path d="M5 23c4-1 5-13 9-13s4 8 7 8 4-4 6-6" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" />
  </svg>
);

const connections: Readonly<Record<Connection, string>> = {
  connecting: 'connecting',
  live: 'live',
  lost: 'connection lost, trying again',
  refused: 'the token has changed: open the link that whet lab printed',
};

function Status() {
  const state = useStore(connection);
  return <p class={`connection ${state}`} role="status"><i aria-hidden="true" />{connections[state]}</p>;
}

function Empty() {
  const any = useStore(runs).length > 0;
  const folder = useFetched<{ readonly folder: string }>([{ path: 'api/runs', count: 0 }]).get('api/runs')?.folder;
  if (any) return <div class="empty"><h2>No run is ticked</h2><p>Tick runs in the list to see them here, several to compare them.</p></div>;
  return (
    <div class="empty">
      <h2>No runs yet</h2>
      <p>Two lines in any training script make one. It shows here as soon as it begins{folder && <>, in <code>{folder}</code></>}.</p>
      <pre>{`import { openRun } from 'whetstone/lab';

const run = openRun('mnist', { config: { lr: 0.001 } });
run.log({ 'loss/train': loss }, step);`}</pre>
    </div>
  );
}
