/** What the person chose, and which runs that shows. */
import type { RunSummary } from '../../src/lab/shared/index.ts';
import { makeKept, makeStore, useStore } from './store.ts';

export type Axis = 'step' | 'time' | 'epoch';
export type Theme = 'auto' | 'light' | 'dark';
export type View = 'curves' | 'histograms' | 'samples' | 'compare';

export const settings = makeKept('whet-lab-settings', {
  axis: 'step' as Axis,
  smoothing: 0,
  logarithmic: false,
  clipped: false,
  theme: 'auto' as Theme,
  view: 'curves' as View,
  ridges: true,
  differences: true,
});
export const change = (part: Partial<ReturnType<typeof settings.get>>): void => settings.set({ ...settings.get(), ...part });
export const useSettings = (): ReturnType<typeof settings.get> => useStore(settings);

/** The part of the x axis that all curves show; null for all of it. */
export const zoom = makeStore<{ readonly min: number; readonly max: number } | null>(null);

/** Runs that were ticked or unticked; others are shown if they are among the latest. */
const choices = makeKept<Record<string, boolean>>('whet-lab-runs', {});

/** All runs, latest first. */
export const runs = makeStore<readonly RunSummary[]>([]);
/** Of runs that were there when the page opened, the latest are shown; of later ones all. */
const openedAt = Date.now();
const shownAtOpening = 3;
let latest: ReadonlySet<string> = new Set();

export function setRuns(next: readonly RunSummary[]): void {
  const sorted = [...next].sort((a, b) => b.started - a.started || (a.name < b.name ? 1 : -1));
  const old = sorted.filter(({ started }) => started < openedAt);
  latest = new Set([...sorted.slice(0, sorted.length - old.length), ...old.slice(0, shownAtOpening)].map(({ name }) => name));
  runs.set(sorted);
}

export const isShown = (name: string): boolean => choices.get()[name] ?? latest.has(name);
export const shownRuns = (): readonly RunSummary[] => runs.get().filter(({ name }) => isShown(name));
export const show = (names: readonly string[], shown: boolean): void => choices.set({ ...choices.get(), ...Object.fromEntries(names.map((name) => [name, shown])) });
export const followChoices = (listener: () => void): (() => void) => choices.follow(listener);

export function useShownRuns(): readonly RunSummary[] {
  useStore(runs);
  useStore(choices);
  return shownRuns();
}
