/** What is asked for, rather than told: histograms and samples of a run. */
import { useEffect, useState } from 'preact/hooks';

/** Asked for again whenever `count` has grown, at most once a second; undefined until it is there. */
export function useFetched<T>(path: string, count: number): T | undefined {
  const [held, setHeld] = useState<{ path: string; value: T }>();
  const [tick, setTick] = useState(0);
  useEffect(() => {
    let over = false;
    const timer = setTimeout(
      () => {
        void fetch(path)
          .then((answer) => (answer.ok ? (answer.json() as Promise<T>) : undefined))
          .then((value) => !over && value !== undefined && setHeld({ path, value }))
          .catch(() => !over && setTimeout(() => setTick(tick + 1), 2000));
      },
      held?.path === path ? 1000 : 0,
    );
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [path, count, tick]);
  return held?.path === path ? held.value : undefined;
}

export const address = (run: string, what: string): string => `api/runs/${encodeURIComponent(run)}/${what}`;
