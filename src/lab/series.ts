/** What a page can show of any number of values: at most so many points, each the mean of as many neighbours as that takes. */

const mostPoints = 4096;

interface Point {
  readonly step: number;
  readonly seconds: number;
  readonly value: number;
  readonly records: number;
}

export interface Series {
  readonly steps: number[];
  readonly seconds: number[];
  readonly values: number[];
  /** Changes with every change to points that were there, but for the last. */
  readonly generation: number;
  /** Later steps than the last are added; any other takes the place of all from there on. */
  add(step: number, seconds: number, value: number): void;
  /** Takes away what is at `step` and after. A point that stands for steps before it as well stays. */
  cut(step: number): void;
}

export function makeSeries(most = mostPoints): Series {
  const steps: number[] = [];
  const seconds: number[] = [];
  const values: number[] = [];
  /** Records of each point, and how many make it full. */
  const records: number[] = [];
  const firsts: number[] = [];
  let full = 1;
  let generation = 0;

  const put = (i: number, point: Point): void => {
    steps[i] = point.step;
    seconds[i] = point.seconds;
    values[i] = point.value;
    records[i] = point.records;
  };
  const at = (i: number): Point => ({ step: steps[i], seconds: seconds[i], value: values[i], records: records[i] });
  /** The later one's place, the mean of both. */
  const join = (a: Point, b: Point): Point => ({ ...b, value: (a.value * a.records + b.value * b.records) / (a.records + b.records), records: a.records + b.records });
  const shorten = (length: number): void => {
    for (const list of [steps, seconds, values, records, firsts]) list.length = length;
    generation++;
  };
  const halve = (): void => {
    for (let i = 0; i < most; i += 2) {
      put(i / 2, join(at(i), at(i + 1)));
      firsts[i / 2] = firsts[i];
    }
    shorten(most / 2);
    full *= 2;
  };
  const cut = (step: number): void => {
    let length = steps.length;
    while (length > 0 && firsts[length - 1] >= step) length--;
    if (length < steps.length) shorten(length);
    if (length > 0 && steps[length - 1] >= step) {
      steps[length - 1] = step - 1;
      generation++;
    }
  };
  return {
    steps,
    seconds,
    values,
    get generation() {
      return generation;
    },
    cut,
    add(step, now, value) {
      if (steps.length > 0 && step <= steps[steps.length - 1]) cut(step);
      const point = { step, seconds: now, value, records: 1 };
      const last = steps.length - 1;
      if (last >= 0 && records[last] < full) return put(last, join(at(last), point));
      if (steps.length === most) halve();
      firsts[steps.length] = step;
      put(steps.length, point);
    },
  };
}

/** A list of things at steps that keeps at most so many, evenly: every second one goes when it is full, and from then on it takes fewer. */
export interface Thinned<T extends { readonly step: number }> {
  readonly entries: T[];
  add(entry: T): void;
  cut(step: number): void;
}

export function makeThinned<T extends { readonly step: number }>(most: number): Thinned<T> {
  const entries: T[] = [];
  let every = 1;
  let seen = 0;
  const cut = (step: number): void => {
    while (entries.length > 0 && entries[entries.length - 1].step >= step) {
      entries.pop();
      seen = (entries.length - 1) * every + 1;
    }
  };
  return {
    entries,
    cut,
    add(entry) {
      cut(entry.step);
      // The latest is always there, and goes with the next unless it is its turn to stay.
      if (entries.length > 0 && (seen - 1) % every !== 0) entries.pop();
      entries.push(entry);
      seen++;
      if (entries.length <= most) return;
      entries.splice(0, entries.length, ...entries.filter((_, i) => i % 2 === 0 || i === entries.length - 1));
      every *= 2;
    },
  };
}
