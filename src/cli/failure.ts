/** What a failure looks like from outside: one sentence on stderr and an exit code; the stack only with --debug. */
import { CommanderError } from 'commander';
import { styleFor, type Terminal } from './terminal.ts';

export const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/** Options that do not fit each other or the model. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Failures that were told of where they happened; the command goes on and ends with exit code 1. */
export class SomeFailed extends Error {
  override readonly name = 'SomeFailed';
}

/** Errors whose message was written for people. Others are mistakes of ours, or of the system. */
const knownErrors = /^(Usage|Graph|Format|Vision|Text|Zoo|Engine|Runtime|Plan|Tensor|Module|Optim|Data|Train|Lab|SomeFailed)/;

/** What the system's error codes mean. */
const systemErrors: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EEXIST: 'something else is there already',
  EISDIR: 'is a folder, not a file',
  ENOTDIR: 'a part of the path is not a folder',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EMFILE: 'too many open files',
  EFBIG: 'the file would be too large',
  EIO: 'the disk failed to read or write',
};

/** The sentence that says what went wrong. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, path } = error as NodeJS.ErrnoException;
  if (code !== undefined && Object.hasOwn(systemErrors, code)) return path === undefined ? systemErrors[code] : `${path}: ${systemErrors[code]}`;
  if (knownErrors.test(error.name) || code !== undefined) return error.message;
  if (error instanceof RangeError && /allocation|array length/i.test(error.message)) return 'out of memory';
  return `${error.name}: ${error.message} (this is a mistake in Whetstone; --debug shows where)`;
}

/** Says what went wrong, and returns the exit code. */
export function report(error: unknown, terminal: Terminal, debug: boolean): number {
  if (error instanceof CommanderError) {
    // Help and version were asked for; anything else commander has already explained.
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  }
  terminal.note(`${styleFor(terminal.stderr).bad('error:')} ${explain(error)}`);
  if (debug && error instanceof Error) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) terminal.note(cause.stack ?? cause.message);
  }
  return error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
}
