/**
 * A run is a folder of log files, one for each time that it was opened: 0001.log, 0002.log, ... Each is created exclusively and written by
 * the process that created it alone, so two writers never meet in a file and nothing that was written is ever touched again.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from './errors.ts';
import { isAlive } from './process.ts';
import { decodeLine, type LogRecord, maxLineBytes } from './record.ts';

const segmentName = (number: number): string => `${String(number).padStart(4, '0')}.log`;

/** Names of the log files among these, in the order they were written. */
export const segmentsAmong = (names: readonly string[]): string[] => {
  const numbers = names.filter((name) => /^\d{4,9}\.log$/.test(name)).map((name) => Number.parseInt(name, 10));
  return numbers.sort((a, b) => a - b).map(segmentName);
};

/** A file that has been made but has no first record yet, for this long, is about to get one. */
const openingMs = 10_000;

const isCode = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code;

/** Bytes of a file, whatever it has of them. */
function readPart(fd: number, from: number, count: number): Buffer {
  const bytes = Buffer.alloc(count);
  return bytes.subarray(0, readSync(fd, bytes, 0, count, from));
}

/** What the first line and the last say. */
function endsOf(path: string): { first: LogRecord | undefined; last: LogRecord | undefined; size: number; ageMs: number } {
  const fd = openSync(path, 'r');
  try {
    const { size, mtimeMs } = fstatSync(fd);
    const head = readPart(fd, 0, Math.min(size, maxLineBytes));
    // A closing record is short; where the last line is not, it is another.
    const tail = readPart(fd, Math.max(0, size - 4096), Math.min(size, 4096));
    const end = tail.length - 1;
    const last = tail[end] === 10 ? decodeLine(tail.subarray(tail.lastIndexOf(10, end - 1) + 1, end)) : undefined;
    return { first: decodeLine(head.subarray(0, Math.max(0, head.indexOf(10)))), last, size, ageMs: Date.now() - mtimeMs };
  } finally {
    closeSync(fd);
  }
}

/** The process that still writes this file, by number; 0 where it is about to. */
function writerOf(path: string): number | undefined {
  const { first, last, size, ageMs } = endsOf(path);
  if (size === 0) return ageMs < openingMs ? 0 : undefined;
  return first?.kind === 'open' && last?.kind !== 'close' && isAlive(first.process) === true ? first.process.pid : undefined;
}

/** An open file for the next part of a run: a new run under the first free name of `name`, `name-2`, ..., or this very run where it is resumed. */
export function openSegment(folder: string, name: string, resume: boolean): { fd: number; run: string } {
  mkdirSync(folder, { recursive: true });
  if (resume) return { fd: nextSegment(join(folder, name), name), run: name };
  for (let number = 1; ; number++) {
    const run = number === 1 ? name : `${name}-${number}`;
    try {
      mkdirSync(join(folder, run));
      return { fd: openSync(join(folder, run, segmentName(1)), 'ax'), run };
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error;
    }
  }
}

/** @throws LabError where a process that lives writes this run */
function nextSegment(path: string, run: string): number {
  mkdirSync(path, { recursive: true });
  for (;;) {
    const names = segmentsAmong(readdirSync(path));
    for (const name of names) {
      const pid = writerOf(join(path, name));
      if (pid === undefined) continue;
      throw new LabError(`run ${run}`, { expected: 'that nobody else writes it', got: pid === 0 ? 'another process that opens it' : `process ${pid}, which does`, hint: 'close that one first, or open a run of another name' });
    }
    try {
      return openSync(join(path, segmentName(1 + Number.parseInt(names.at(-1) ?? '0', 10))), 'ax');
    } catch (error) {
      // Somebody was faster: look at what they made.
      if (!isCode(error, 'EEXIST')) throw error;
    }
  }
}
