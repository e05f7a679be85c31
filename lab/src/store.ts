/** A value that components follow. */
import { useEffect, useState } from 'preact/hooks';

export interface Store<T> {
  get(): T;
  set(next: T): void;
  follow(listener: () => void): () => void;
}

export function makeStore<T>(first: T): Store<T> {
  let value = first;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener();
    },
    follow(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useStore<T>(store: Store<T>): T {
  const [, render] = useState({});
  useEffect(() => store.follow(() => render({})), [store]);
  return store.get();
}

/** One that the browser remembers; what it remembers that does not fit any more is forgotten. */
export function makeKept<T extends object>(key: string, first: T): Store<T> {
  let kept: Partial<T> = {};
  try {
    kept = JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<T>;
  } catch {
    // Nothing to remember.
  }
  const known = Object.fromEntries(Object.entries(kept).filter(([name, value]) => !(name in first) || typeof value === typeof first[name as keyof T]));
  const store = makeStore<T>({ ...first, ...known });
  store.follow(() => localStorage.setItem(key, JSON.stringify(store.get())));
  return store;
}
