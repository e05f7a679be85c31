/** What is asked for, rather than told: histograms and samples of runs. */
import { useEffect, useRef, useState } from 'preact/hooks';

export interface Wanted {
  readonly path: string;
  /** Asked for again when it has grown, but at most once a second. */
  readonly count: number;
}

const pauseMs = 1000;

/** Answers by path, each once it is there. */
export function useFetched<T>(wanted: readonly Wanted[]): ReadonlyMap<string, T> {
  const held = useRef(new Map<string, { count: number; at: number; value?: T }>()).current;
  const [, render] = useState({});
  const key = JSON.stringify(wanted);
  useEffect(() => {
    let over = false;
    const timers = wanted.map(({ path, count }) => {
      const known = held.get(path);
      if (known?.count === count && known.value !== undefined) return undefined;
      return setTimeout(() => {
        held.set(path, { ...known, count, at: Date.now() });
        void fetch(path)
          .then((answer) => (answer.ok ? (answer.json() as Promise<T>) : undefined))
          .catch(() => undefined)
          .then((value) => {
            if (value === undefined) return held.delete(path);
            held.set(path, { count, at: Date.now(), value });
            return !over && render({});
          });
      }, Math.max(0, (known?.at ?? 0) + pauseMs - Date.now()));
    });
    return () => {
      over = true;
      for (const timer of timers) clearTimeout(timer);
    };
  }, [key]);
  const answers = new Map<string, T>();
  for (const { path } of wanted) {
    const value = held.get(path)?.value;
    if (value !== undefined) answers.set(path, value);
  }
  return answers;
}

export const address = (run: string, what: string): string => `api/runs/${encodeURIComponent(run)}/${what}`;
