/**
 * Checkpoints in a folder. Each is written under another name, flushed to the disk and renamed, so that under its own name a file is
 * whole or not there, whenever the process is killed; a file that was damaged later is passed over for the one before.
 */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint, CheckpointStore } from '../checkpoint.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../checkpoint-file.ts';
import { checkCount, TrainError } from '../errors.ts';

export interface CheckpointsOptions {
  /** Updates from one checkpoint to the next, beside those at the ends of epochs. */
  readonly everySteps?: number;
  /** Seconds from one checkpoint to the next. Default: 300. */
  readonly everySeconds?: number;
  /** Epochs from one to the next. Default: 1. */
  readonly everyEpochs?: number;
  /** So many of the newest are kept. Default: 3. */
  readonly keep?: number;
  /** Keep the epoch whose value of that name is best as well, as `best.safetensors`. */
  readonly best?: string;
  /** Default: losses are better lower, others higher. */
  readonly better?: 'higher' | 'lower';
  /** Is told of files that are damaged. Default: a line on stderr. */
  readonly warn?: (message: string) => void;
}

const bestFile = 'best.safetensors';
const nameOf = (step: number): string => `step-${String(step).padStart(12, '0')}.safetensors`;
const isCheckpoint = (name: string): boolean => /^step-\d{12}\.safetensors$/.test(name);
const isDraft = (name: string): boolean => /^\.(step-\d{12}|best)\.safetensors\.part$/.test(name);

/** A store of checkpoints in a folder, which is made where it is missing. One training at a time may write to it. */
export function checkpoints(folder: string, options: CheckpointsOptions = {}): CheckpointStore {
  const { everySteps, everySeconds = 300, everyEpochs = 1, keep = 3, best, better = best?.startsWith('loss') ? 'lower' : 'higher' } = options;
  const { warn = (message: string) => void process.stderr.write(`${message}\n`) } = options;
  checkCount('keep', keep, 1);
  checkCount('everyEpochs', everyEpochs, 1);
  if (everySteps !== undefined) checkCount('everySteps', everySteps, 1);
  return {
    everySteps,
    everySeconds,
    everyEpochs,
    async load() {
      const names = await entries(folder);
      // What a process that was killed left half written.
      for (const name of names.filter(isDraft)) await rm(join(folder, name), { force: true });
      return newestWhole(folder, names.filter(isCheckpoint).sort().reverse(), warn);
    },
    async save(checkpoint, values) {
      await mkdir(folder, { recursive: true });
      const bytes = encodeCheckpoint(checkpoint);
      await writeWhole(folder, nameOf(checkpoint.step), bytes);
      if (best !== undefined && values && isBest(checkpoint, values, best, better)) await writeWhole(folder, bestFile, bytes);
      const old = (await entries(folder)).filter(isCheckpoint).sort().reverse().slice(keep);
      for (const name of old) await rm(join(folder, name), { force: true });
    },
  };
}

/** The checkpoint in a file, such as `best.safetensors`: `model.loadStateDict(checkpoint.model)`. @throws TrainError where it is damaged or another file */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new TrainError(path, { expected: 'a checkpoint', got: error.code === 'ENOENT' ? 'no such file' : error.message });
  });
  return decodeCheckpoint(bytes, path);
}

async function entries(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new TrainError(folder, { expected: 'a folder for checkpoints', got: error.code === 'ENOTDIR' ? 'a file' : error.message });
  });
}

async function newestWhole(folder: string, names: readonly string[], warn: (message: string) => void): Promise<Checkpoint | undefined> {
  let problem: string | undefined;
  for (const name of names) {
    const path = join(folder, name);
    try {
      const checkpoint = await readCheckpoint(path);
      if (problem !== undefined) warn(`${problem}; going on from ${name} instead`);
      return checkpoint;
    } catch (error) {
      if (problem !== undefined) warn(problem);
      problem = (error as Error).message;
    }
  }
  if (problem === undefined) return undefined;
  throw new TrainError(folder, { expected: 'a whole checkpoint', got: `${names.length} damaged ${names.length === 1 ? 'one' : 'ones'} (${problem})`, hint: 'remove them to begin anew' });
}

/** Whether the epoch that has just ended is better than all before it. */
function isBest({ epochs }: Checkpoint, values: Readonly<Record<string, number>>, name: string, better: 'higher' | 'lower'): boolean {
  const value = values[name];
  // Validation may come every few epochs.
  if (value === undefined && name.endsWith('/validation')) return false;
  if (value === undefined) throw new TrainError('best', { expected: `one of ${Object.keys(values).join(', ')}`, got: name });
  const isBetter = (other: number | undefined): boolean => other === undefined || Number.isNaN(other) || (better === 'lower' ? value < other : value > other);
  return !Number.isNaN(value) && epochs.slice(0, -1).every((before) => isBetter(before.values[name]));
}

async function writeWhole(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const draft = join(folder, `.${name}.part`);
  try {
    const file = await open(draft, 'w');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, join(folder, name));
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await flushFolder(folder);
}

/** The new name is on the disk as well. Windows has no such thing. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  if (!handle) return;
  await handle.sync().catch(() => undefined);
  await handle.close();
}
