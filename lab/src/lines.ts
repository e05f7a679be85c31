/** Curves made ready to draw: along the axis that was chosen, smoothed, and gathered into plots by name. */
import { groupOf, type RunSummary, splitOf } from '../../src/lab/shared/index.ts';
import { colourOf } from './colours.ts';
import { type Points, seriesOf } from './live.ts';
import type { Axis } from './state.ts';

export interface Line {
  readonly run: string;
  /** As it was logged. */
  readonly name: string;
  /** Its name within the plot. */
  readonly label: string;
  readonly colour: string;
  readonly dash: readonly number[];
  readonly points: Points;
}

export interface Plot {
  readonly group: string;
  readonly lines: readonly Line[];
  /** Names within the plot, with how each is drawn. */
  readonly labels: readonly { readonly label: string; readonly dash: readonly number[] }[];
}

/** Validation is drawn whole, training dashed, whatever else there is in its own way. */
const dashes = [[], [5, 4], [1.5, 3], [9, 3, 2, 3], [12, 4]];
const rank = (name: string): number => ({ validation: 0, train: 1 })[splitOf(name) as string] ?? 2;

/** What people look at first comes first. */
const firstGroups = ['loss', 'accuracy'];
const derivedName = 'step time (ms)';
const lastGroups = ['learning-rate', 'lr', 'gradient-norm', 'step-ms', 'time', derivedName];
const place = (group: string): number => {
  const first = firstGroups.findIndex((name) => group.toLowerCase() === name);
  const last = lastGroups.indexOf(group.toLowerCase());
  return first >= 0 ? first - firstGroups.length : last + 1;
};

const isStepTime = (name: string): boolean => /step.?(ms|time)|time.?step|(ms|time).?per.?step/i.test(name);

/** Milliseconds a step, from when each was logged: for runs that don't log it themselves. */
function stepTimes(series: ReadonlyMap<string, Points>): Points | undefined {
  const longest = [...series.values()].sort((a, b) => b.steps.length - a.steps.length)[0];
  if (!longest || longest.steps.length < 3) return undefined;
  const { steps, seconds } = longest;
  const values = steps.map((step, i) => (i === 0 ? null : ((seconds[i] - seconds[i - 1]) * 1000) / (step - steps[i - 1])));
  return { steps: steps.slice(1), seconds: seconds.slice(1), values: values.slice(1) };
}

/** All series of these runs, in plots: by what comes before the slash. `filter` is part of a name. */
export function plotsOf(shown: readonly RunSummary[], all: readonly RunSummary[], filter: string): Plot[] {
  const groups = new Map<string, { run: string; name: string; points: Points }[]>();
  const put = (group: string, run: string, name: string, points: Points): void => {
    if (!name.toLowerCase().includes(filter.toLowerCase())) return;
    groups.set(group, [...(groups.get(group) ?? []), { run, name, points }]);
  };
  const logsStepTime = shown.some(({ name }) => [...seriesOf(name).keys()].some(isStepTime));
  for (const { name: run } of shown) {
    const series = seriesOf(run);
    for (const [name, points] of series) if (name !== 'epoch') put(groupOf(name), run, name, points);
    const derived = logsStepTime ? undefined : stepTimes(series);
    if (derived) put(derivedName, run, derivedName, derived);
  }
  const plots = [...groups].map(([group, members]) => {
    const names = [...new Set(members.map(({ name }) => name))].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
    const label = (name: string): string => name.slice(group.length + 1) || name;
    const dash = (name: string): readonly number[] => (names.length === 1 ? [] : dashes[names.indexOf(name) % dashes.length]);
    const lines = members.map(({ run, name, points }) => ({ run, name, label: label(name), colour: colourOf(run, all), dash: dash(name), points }));
    return { group, labels: names.map((name) => ({ label: label(name), dash: dash(name) })), lines };
  });
  return plots.sort((a, b) => place(a.group) - place(b.group) || (a.group < b.group ? -1 : 1));
}

/** Where each point of a line stands on the axis; undefined where the run has no such axis. */
export function placesOf({ run, points }: Pick<Line, 'run' | 'points'>, axis: Axis): number[] | undefined {
  if (axis === 'step') return points.steps;
  if (axis === 'time') return points.seconds;
  const epochs = epochsOf(seriesOf(run).get('epoch'));
  return epochs && points.steps.map(epochs);
}

/** Epochs by step, from what a run logged as `epoch`: straight between the steps where it changes, and on beyond them. */
export function epochsOf(logged: Points | undefined): ((step: number) => number) | undefined {
  if (!logged) return undefined;
  const changes: { step: number; epoch: number }[] = [];
  logged.steps.forEach((step, i) => {
    const epoch = logged.values[i];
    if (epoch !== null && epoch !== changes.at(-1)?.epoch) changes.push({ step, epoch });
  });
  if (changes.length < 2) return undefined;
  return (step) => {
    let [low, high] = [0, changes.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (changes[middle].step <= step) low = middle;
      else high = middle;
    }
    const [a, b] = [changes[low], changes[high]];
    return a.epoch + ((b.epoch - a.epoch) * (step - a.step)) / (b.step - a.step);
  };
}

/** An exponential mean whose beginning is not pulled to zero (D. Kingma and J. Ba, "Adam", 2015, section 3). */
export function smooth(values: readonly (number | null)[], weight: number): (number | null)[] {
  if (weight === 0) return [...values];
  let [mean, share] = [0, 0];
  return values.map((value) => {
    if (value === null) return null;
    mean = weight * mean + (1 - weight) * value;
    share = weight * share + (1 - weight);
    return mean / share;
  });
}
