/** The connection: one stream of events for all runs that are shown. Points arrive and stay here; components hear of a new revision. */
import type { RunData, RunList, RunSummary } from '../../src/lab/shared/index.ts';
import { followChoices, runs, setRuns, shownRuns } from './state.ts';
import { makeStore } from './store.ts';

export interface Points {
  readonly steps: number[];
  readonly seconds: number[];
  readonly values: (number | null)[];
}

export type Connection = 'connecting' | 'live' | 'lost' | 'refused';

export const connection = makeStore<Connection>('connecting');
/** Grows with every point that arrives. */
export const revision = makeStore(0);

const points = new Map<string, Map<string, Points>>();
const none: ReadonlyMap<string, Points> = new Map();

export const seriesOf = (run: string): ReadonlyMap<string, Points> => points.get(run) ?? none;

function take({ run, series, removed }: RunData): void {
  const known = points.get(run) ?? new Map<string, Points>();
  points.set(run, known);
  for (const name of removed) known.delete(name);
  for (const { name, from, steps, seconds, values } of series) {
    const old = known.get(name) ?? { steps: [], seconds: [], values: [] };
    known.set(name, old);
    for (const [list, fresh] of [[old.steps, steps], [old.seconds, seconds], [old.values, values]] as [(number | null)[], (number | null)[]][]) {
      list.length = Math.min(list.length, from);
      for (const value of fresh) list.push(value);
    }
  }
}

/** Many events may arrive at once: components hear of them together. */
let told = 0;
const tell = (): void => {
  told ||= requestAnimationFrame(() => {
    told = 0;
    revision.set(revision.get() + 1);
  });
};

let source: EventSource | undefined;
let asked = '';
let attempts = 0;

/** The first list after connecting is the whole one. */
function merge(list: RunList, whole: boolean): void {
  const byName = new Map<string, RunSummary>(whole ? [] : runs.get().map((run) => [run.name, run]));
  for (const name of list.removed) byName.delete(name);
  for (const run of list.runs) byName.set(run.name, run);
  for (const name of points.keys()) if (!byName.has(name)) points.delete(name);
  setRuns([...byName.values()]);
}

function connect(): void {
  const names = shownRuns().map(({ name }) => name).sort();
  asked = names.join('\n');
  source?.close();
  const stream = new EventSource(`api/events?${new URLSearchParams(names.map((name) => ['run', name]))}`);
  source = stream;
  let first = true;
  stream.addEventListener('runs', (event) => {
    merge(JSON.parse((event as MessageEvent<string>).data) as RunList, first);
    first = false;
    attempts = 0;
    connection.set('live');
    followShown();
    tell();
  });
  stream.addEventListener('data', (event) => {
    take(JSON.parse((event as MessageEvent<string>).data) as RunData);
    tell();
  });
  stream.addEventListener('error', () => {
    if (source !== stream) return;
    stream.close();
    connection.set('lost');
    void again();
  });
}

/** The stream says only that it broke; a request says whether the token still holds. */
async function again(): Promise<void> {
  const answer = await fetch('api/runs').catch(() => undefined);
  if (answer?.status === 401) return connection.set('refused');
  setTimeout(connect, Math.min(5000, 250 * 2 ** attempts++));
}

/** Asks for other runs where others are shown now. */
function followShown(): void {
  const names = shownRuns().map(({ name }) => name).sort();
  if (names.join('\n') !== asked) connect();
}

export function start(): void {
  connect();
  followChoices(followShown);
}
