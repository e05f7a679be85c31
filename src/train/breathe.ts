/** Steps run on the calling thread; between them others have their turn. */

/** Milliseconds that a training may keep the event loop waiting, steps aside. */
const mostMs = 8;

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve);
  });

export type Breathe = () => Promise<void> | undefined;

/** A function to await between steps: gives the event loop a turn when its last one is a while ago. */
export function breather(): Breathe {
  let last = performance.now();
  return () => {
    if (performance.now() - last < mostMs) return undefined;
    return turn().then(() => void (last = performance.now()));
  };
}
