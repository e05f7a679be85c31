/** Which process writes a log, and whether it still lives. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface ProcessMark {
  readonly pid: number;
  /** The machine and, on Linux, the process namespace: numbers mean something only there. */
  readonly host: string;
  /** When it started, in the system's ticks, where the system says so: numbers are used again. */
  readonly started?: string;
}

const attempt = <T>(work: () => T): T | undefined => {
  try {
    return work();
  } catch {
    return undefined;
  }
};

/** Field 22 of /proc/PID/stat; the second, the name, is in parentheses and may contain anything. */
const startOf = (pid: number): string | undefined =>
  attempt(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  });

export function ownMark(): ProcessMark {
  const namespace = attempt(() => readlinkSync('/proc/self/ns/pid'));
  return { pid: process.pid, host: namespace === undefined ? hostname() : `${hostname()} ${namespace}`, started: startOf(process.pid) };
}

/** Undefined where it runs on another machine. */
export function isAlive(mark: ProcessMark): boolean | undefined {
  if (mark.host !== ownMark().host || !Number.isSafeInteger(mark.pid) || mark.pid <= 0) return undefined;
  if (mark.started !== undefined) return startOf(mark.pid) === mark.started;
  try {
    process.kill(mark.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
