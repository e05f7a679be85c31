/** `openRun`: what a training script logs to. Every call returns at once with its record buffered; what is lost in a crash is the last fifth of a second. */
import { closeSync, fsyncSync, writeSync } from 'node:fs';
import { checkConfig, checkImage, checkName, checkRunName, checkSamples, checkStep, checkText, checkValues, type LoggedImage } from './checks.ts';
import { LabError } from './errors.ts';
import { ownMark } from './process.ts';
import { encodeRecord, type LogRecord } from './record.ts';
import { openSegment } from './segments.ts';
import { binValues, type Config } from './shared/index.ts';

export interface Run {
  /** As it was opened, or with a number after it where a run of that name is there: `mnist-2`. */
  readonly name: string;
  /** Numbers at a step. What comes before a slash groups: `loss/train` and `loss/validation` share a plot. `epoch` gives a plot by epochs. */
  log(values: Readonly<Record<string, number>>, step: number): void;
  /** The distribution of values, such as a layer's weights; its bins are kept, not the values. */
  histogram(name: string, values: ArrayLike<number>, step: number): void;
  /** A picture of height x width x channels; large ones are kept smaller. */
  image(name: string, image: LoggedImage, step: number): void;
  text(name: string, text: string, step: number): void;
  /** Writes what is buffered, now. */
  flush(): void;
  /** The run is finished. A process that ends does it as well; one that is killed cannot. */
  close(): void;
}

export interface RunOptions {
  /** Hyperparameters: what runs are compared by. */
  readonly config?: Config;
  /** Where runs are kept. Default: `runs`. */
  readonly folder?: string;
  /** Continue the run of exactly this name, if it is there: its first new step takes the place of the old one and all that came after. */
  readonly resume?: boolean;
}

/** Milliseconds since 1970, to a tenth: a step may take less than one. */
const now = (): number => Math.round((performance.timeOrigin + performance.now()) * 10) / 10;

const flushMs = 200;
const flushLength = 2 ** 16;
/** Kept while nothing can be written (a full disk); then it is dropped. */
const mostPending = 2 ** 24;

/** Ends the runs of a process that ends. One listener for all of them. */
const openRuns = new Set<(ok: boolean) => void>();
let listening = false;
function endWithProcess(end: (ok: boolean) => void): void {
  openRuns.add(end);
  if (listening) return;
  listening = true;
  process.on('exit', (code) => openRuns.forEach((end) => end(code === 0)));
}

/**
 * Opens a run in `folder` and logs to it.
 * @throws LabError for a name that is no name of a folder, a config that is no JSON, and a run to resume that is still written
 */
export function openRun(name: string, { config = {}, folder = 'runs', resume = false }: RunOptions = {}): Run {
  const checkedConfig = checkConfig(config);
  const { fd, run } = openSegment(folder, checkRunName(name), resume);
  let pending = '';
  let flushedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  let broken = false;
  let closed = false;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    flushedAt = performance.now();
    if (pending === '' || closed) return;
    // After a write that failed half-way, what follows begins on a line of its own.
    const bytes = Buffer.from(broken ? `\n${pending}` : pending);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      pending = '';
      broken = false;
    } catch (error) {
      // Training goes on; its curves will have a gap.
      if (!broken) process.emitWarning(`run ${run}: its log cannot be written (${(error as Error).message})`, 'LabWarning');
      broken = true;
      if (pending.length > mostPending) pending = '';
    }
  };
  const write = (record: LogRecord): void => {
    if (closed) throw new LabError(`run ${run}`, { expected: 'an open run', got: 'one that was closed' });
    pending += encodeRecord(record);
    // By the clock and not by a timer alone: a loop that never awaits lets no timer fire.
    if (pending.length > flushLength || performance.now() - flushedAt > flushMs) flush();
    else timer ??= setTimeout(flush, flushMs).unref();
  };
  const end = (ok: boolean): void => {
    if (closed) return;
    write({ kind: 'close', time: now(), ok });
    flush();
    closed = true;
    clearTimeout(timer);
    openRuns.delete(end);
    try {
      fsyncSync(fd);
    } catch {
      // What could not be written was said before.
    }
    closeSync(fd);
  };

  write({ kind: 'open', format: 1, time: now(), run, process: ownMark(), config: checkedConfig });
  flush();
  endWithProcess(end);
  return {
    name: run,
    log: (values, step) => write({ kind: 'scalars', time: now(), step: checkStep(step), values: checkValues(values) }),
    histogram: (name, values, step) => write({ kind: 'histogram', time: now(), step: checkStep(step), name: checkName(name), ...binValues(checkSamples(values)) }),
    image: (name, image, step) => write({ kind: 'image', time: now(), step: checkStep(step), name: checkName(name), ...checkImage(image) }),
    text: (name, text, step) => write({ kind: 'text', time: now(), step: checkStep(step), name: checkName(name), text: checkText(text) }),
    flush,
    close: () => end(true),
  };
}
