/**
 * The memory plan: every storage gets a place in the arena so that storages alive at the same time never overlap. Greedy by
 * size, each at the lowest gap that fits (Pisarchyk and Lee, "Efficient memory management for deep neural net inference",
 * 2020). Storages with a `fixed` kind share places with their own kind only.
 */
import type { PlannedStep } from './planner.ts';
import type { Storage } from './view.ts';

const alignment = 64;
export const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

interface Lifetime {
  readonly storage: Storage;
  first: number;
  last: number;
}

export interface MemoryPlan {
  readonly bytes: number;
  readonly offsets: ReadonlyMap<Storage, number>;
  /** Stretches that are filled once, before the first run, with something other than zero. */
  readonly fills: readonly { readonly offset: number; readonly bytes: number; readonly fill: number }[];
}

/**
 * @param from storages that are there before the first step (inputs)
 * @param until storages that are read after the last one (outputs)
 * @param threads the most that a run may have: scratch is there for each
 */
export function planMemory(steps: readonly PlannedStep[], from: readonly Storage[], until: readonly Storage[], threads: number, takes: (storage: Storage) => boolean): MemoryPlan {
  const sizeOf = ({ bytes, perThread }: Storage) => aligned(bytes) * (perThread ? threads : 1);
  const lifetimes = new Map<Storage, Lifetime>();
  const touch = (storage: Storage, at: number) => {
    if (!takes(storage)) return;
    const known = lifetimes.get(storage);
    if (known) {
      known.first = Math.min(known.first, at);
      known.last = Math.max(known.last, at);
    } else lifetimes.set(storage, { storage, first: at, last: at });
  };
  from.forEach((storage) => touch(storage, -1));
  steps.forEach(({ args }, at) => args.forEach(({ storage }) => touch(storage, at)));
  until.forEach((storage) => touch(storage, steps.length));

  const offsets = new Map<Storage, number>();
  const fills: { offset: number; bytes: number; fill: number }[] = [];
  const placed: { first: number; last: number; offset: number; bytes: number }[] = [];
  let bytes = 0;
  const place = (first: number, last: number, size: number): number => {
    const overlapping = placed.filter((other) => other.first <= last && first <= other.last).sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const other of overlapping) {
      if (offset + size <= other.offset) break;
      offset = Math.max(offset, other.offset + other.bytes);
    }
    placed.push({ first, last, offset, bytes: size });
    bytes = Math.max(bytes, offset + size);
    return offset;
  };

  for (const slot of fixedSlots([...lifetimes.values()].filter(({ storage }) => storage.fixed))) {
    const size = Math.max(...slot.map(({ storage }) => sizeOf(storage)));
    const offset = place(-1, steps.length, size);
    slot.forEach(({ storage }) => offsets.set(storage, offset));
    const { fill } = slot[0].storage.fixed as { fill: number };
    if (fill !== 0) fills.push({ offset, bytes: size, fill });
  }
  const free = [...lifetimes.values()].filter(({ storage }) => !storage.fixed).sort((a, b) => sizeOf(b.storage) - sizeOf(a.storage));
  for (const { storage, first, last } of free) offsets.set(storage, place(first, last, sizeOf(storage)));
  return { bytes, offsets, fills };
}

/** Storages of one kind take turns in as few places as their lifetimes allow. */
function fixedSlots(lifetimes: Lifetime[]): Lifetime[][] {
  const slots: Lifetime[][] = [];
  for (const lifetime of lifetimes.sort((a, b) => a.first - b.first)) {
    const slot = slots.find((turns) => {
      const last = turns[turns.length - 1];
      return last.storage.fixed?.kind === lifetime.storage.fixed?.kind && last.last < lifetime.first;
    });
    if (slot) slot.push(lifetime);
    else slots.push([lifetime]);
  }
  return slots;
}
