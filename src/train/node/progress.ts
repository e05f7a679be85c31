/**
 * How far a training has come: a bar with speed and time left where a person looks on, a line an epoch elsewhere, or JSON, one
 * object a line, for machines.
 */
import { styleText } from 'node:util';
import cliProgress from 'cli-progress';
import { TrainError } from '../errors.ts';
import type { History } from '../history.ts';
import type { Callback, Progress } from '../options.ts';

/** A stream to write to, such as process.stderr. */
export type ProgressStream = Pick<NodeJS.WriteStream, 'write'> & Partial<Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>>;

export interface ProgressOptions {
  /** Default: 'bar' on a terminal, else 'lines'. */
  readonly mode?: 'bar' | 'lines' | 'json' | 'quiet';
  /** Default: stderr; of JSON stdout. */
  readonly stream?: ProgressStream;
  /** Of JSON: updates from one object to the next, beside those of epochs. Default: epochs alone. */
  readonly every?: number;
}

/** A callback of `fit` that shows how far it has come. @throws TrainError for a mode that there is not */
export function progress({ mode, stream = mode === 'json' ? process.stdout : process.stderr, every }: ProgressOptions = {}): Callback {
  const chosen = mode ?? (stream.isTTY ? 'bar' : 'lines');
  if (!Object.hasOwn(modes, chosen)) throw new TrainError('progress', { expected: `one of ${Object.keys(modes).join(', ')}`, got: chosen });
  return modes[chosen](stream, every);
}

const modes: Record<NonNullable<ProgressOptions['mode']>, (stream: ProgressStream, every: number | undefined) => Callback> = {
  bar: barOn,
  lines: linesOn,
  json: jsonOn,
  quiet: () => ({}),
};

// ---- words

/** A number in a few digits. */
export const formatValue = (value: number): string => (Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(2) : value.toPrecision(4));

/** `12 s`, `3 min 5 s`, `2 h 10 min` */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

const formatSpeed = ({ items, seconds }: Progress): string => `${Math.round(items / Math.max(seconds, 1e-3)).toLocaleString('en')}/s`;
const epochOf = ({ epoch, epochs }: Progress): string => `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`;

/** `loss 0.31  accuracy 0.91  validation: loss 0.35  accuracy 0.90` */
export function formatValues(values: Readonly<Record<string, number>>): string {
  const of = (part: string): string[] => Object.entries(values).filter(([name]) => name.endsWith(part)).map(([name, value]) => `${name.slice(0, -part.length)} ${formatValue(value)}`);
  const held = of('/validation');
  return [...of('/train'), ...(held.length > 0 ? [`validation: ${held.join('  ')}`] : [])].join('  ');
}

/** What remains of the training, in seconds; of the epoch alone where nobody knows how long epochs are. */
function left({ batch, batches, epoch, epochs, seconds }: Progress, begun: number): number {
  if (batches === undefined || batch <= begun) return NaN;
  return (seconds / (batch - begun)) * (batches - batch + (epochs - epoch) * batches);
}

const epochLine = (told: Progress): string => `${epochOf(told)}  ${formatSeconds(told.seconds)}  ${formatSpeed(told)}  ${formatValues(told.values)}`;

// ---- lines

/** Seconds without an epoch's end after which a line says that it goes on. */
const patience = 15;

function linesOn(stream: ProgressStream): Callback {
  let said = performance.now();
  const note = (line: string): void => {
    said = performance.now();
    stream.write(`${line}\n`);
  };
  const start = startOfEpoch();
  return {
    onBegin: ({ resumedAt }) => resumedAt !== undefined && note(`goes on after update ${resumedAt}`),
    onStep(told) {
      const begun = start(told);
      if (performance.now() - said < patience * 1000) return;
      note(`${epochOf(told)}  ${told.batch}/${told.batches ?? '?'}  ${formatSpeed(told)}  ${formatSeconds(left(told, begun))} left  ${formatValues(told.values)}`);
    },
    onEpoch: (told) => note(epochLine(told)),
    onEnd: ({ stopped }) => stopped !== undefined && note(`stopped: ${stopped}`),
  };
}

/** The batch that this session began the epoch with: what came before says nothing about its speed. */
function startOfEpoch(): (told: Progress) => number {
  let [epoch, begun] = [0, 0];
  return (told) => {
    if (told.epoch !== epoch) [epoch, begun] = [told.epoch, told.batch - 1];
    return begun;
  };
}

// ---- a bar

/** What fits into `room`, number by number: half of one would be another. */
const whole = (text: string, room: number): string => (text.length <= room ? text : text.slice(0, Math.max(0, text.lastIndexOf('  ', room))));

function barOn(stream: ProgressStream): Callback {
  const start = startOfEpoch();
  let bar: cliProgress.SingleBar | undefined;
  const write = (line: string): void => void stream.write(`${line}\n`);
  const paint = (colour: 'cyan' | 'gray', text: string): string => (process.env.NO_COLOR || process.env.TERM === 'dumb' ? text : styleText(colour, text, { validateStream: false }));
  const draw = (told: Progress, begun: number): string => {
    const columns = stream.columns || 80;
    const barWidth = columns < 100 ? 16 : 24;
    const full = told.batches ? Math.round((told.batch / told.batches) * barWidth) : 0;
    const drawn = told.batches ? `${paint('cyan', '━'.repeat(full))}${paint('gray', '━'.repeat(barWidth - full))}  ` : '';
    const rest = `${told.batch}${told.batches ? `/${told.batches}` : ''}  ${formatSpeed(told)}  ${formatSeconds(left(told, begun))} left  ${formatValues(told.values)}`;
    const room = Math.max(20, columns - epochOf(told).length - 2 - (told.batches ? barWidth + 2 : 0) - 1);
    return `${epochOf(told)}  ${drawn}${whole(rest, room)}`;
  };
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    onBegin: ({ resumedAt }) => resumedAt !== undefined && write(`goes on after update ${resumedAt}`),
    onStep(told) {
      const begun = start(told);
      if (!bar) {
        bar = new cliProgress.SingleBar({
          stream: stream as NodeJS.WriteStream,
          format: (_options, _params, { told: now }: { told?: Progress }) => (now ? draw(now, begun) : ''),
          clearOnComplete: true,
          hideCursor: true,
          gracefulExit: true,
        });
        bar.start(told.batches ?? 0, told.batch, { told });
      } else bar.update(told.batch, { told });
    },
    onEpoch(told) {
      stop();
      write(epochLine(told));
    },
    onEnd({ stopped }) {
      stop();
      if (stopped !== undefined) write(`stopped: ${stopped}`);
    },
  };
}

// ---- JSON

function jsonOn(stream: ProgressStream, every: number | undefined): Callback {
  const write = (object: object): void => void stream.write(`${JSON.stringify(object)}\n`);
  const told = ({ epoch, step, batch, batches, items, seconds, values }: Progress): object => ({ epoch, step, batch, batches, itemsPerSecond: items / Math.max(seconds, 1e-3), seconds, ...values });
  return {
    onBegin: ({ epochs, stepsPerEpoch, resumedAt }) => write({ event: 'begin', epochs, stepsPerEpoch, resumedAt }),
    onStep: (progress) => every !== undefined && progress.step % every === 0 && write({ event: 'step', ...told(progress) }),
    onEpoch: (progress) => write({ event: 'epoch', ...told(progress) }),
    onEnd: ({ epochs, best, stopped }: History) => write({ event: 'end', epochs: epochs.length, best, stopped }),
  };
}
