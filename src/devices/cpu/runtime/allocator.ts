/** Hands out regions of one growing address range: first fit, neighbours joined when freed. Knows offsets only, no bytes. */
import { RuntimeError } from './errors.ts';

export interface Region {
  readonly offset: number;
  readonly size: number;
}

export const alignment = 64;
export const alignUp = (bytes: number, to = alignment): number => Math.ceil(bytes / to) * to;

export class Allocator {
  /** Free regions below `end`, by offset, no two touching. */
  private readonly free: Region[] = [];
  /** Below it every region was handed out once; above it nothing ever was. */
  private end: number;
  private readonly limit: number;
  /** Asked before `end` moves; false when the range cannot reach that far. */
  private readonly grow: (end: number) => boolean;

  constructor(start: number, limit: number, grow: (end: number) => boolean) {
    this.end = alignUp(start);
    this.limit = limit;
    this.grow = grow;
  }

  /** Bytes free below the highest region ever handed out. */
  get freeBytes(): number {
    return this.free.reduce((sum, region) => sum + region.size, 0);
  }

  /** A region of at least `bytes`, and how many bytes at its start may have been used before. Throws RuntimeError when full. */
  allocate(bytes: number): Region & { readonly used: number } {
    const size = Math.max(alignment, alignUp(bytes));
    const found = this.free.findIndex((region) => region.size >= size);
    if (found >= 0) {
      const { offset, size: available } = this.free[found];
      if (available === size) this.free.splice(found, 1);
      else this.free[found] = { offset: offset + size, size: available - size };
      return { offset, size, used: size };
    }
    // Grow from the last free region where it touches the end, so that a slowly growing need does not leave a hole each time.
    const last = this.free.at(-1);
    const tail = last && last.offset + last.size === this.end ? last : undefined;
    const offset = tail?.offset ?? this.end;
    if (offset + size > this.limit || !this.grow(offset + size)) {
      throw new RuntimeError(`allocate ${bytes} bytes`, {
        expected: `room for them below ${this.limit} bytes`,
        got: `${this.end - this.freeBytes} bytes in use and ${this.freeBytes} free in pieces`,
        hint: 'use a smaller batch, release models that are no longer needed, or run native code (WHET_NATIVE=1), which has no 4 GiB limit',
      });
    }
    if (tail) this.free.pop();
    const used = this.end - offset;
    this.end = offset + size;
    return { offset, size, used };
  }

  /** Takes back what `allocate` returned. */
  release({ offset, size }: Region): void {
    let at = this.free.findIndex((region) => region.offset > offset);
    if (at < 0) at = this.free.length;
    const before = this.free[at - 1];
    const after = this.free[at];
    const joinsBefore = before !== undefined && before.offset + before.size === offset;
    const joinsAfter = after !== undefined && offset + size === after.offset;
    const start = joinsBefore ? before.offset : offset;
    const stop = joinsAfter ? after.offset + after.size : offset + size;
    this.free.splice(at - (joinsBefore ? 1 : 0), (joinsBefore ? 1 : 0) + (joinsAfter ? 1 : 0), { offset: start, size: stop - start });
  }
}
