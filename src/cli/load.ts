/** Models by what people call them: a name of the zoo, fetched where it is not here, or a file. */
import { stat } from 'node:fs/promises';
import type { Model } from '../index.ts';
import { loadModelFile } from '../formats/node.ts';
import { zoo, type ZooEntry, type ZooFiles, zooGet } from '../zoo/index.ts';
import { UsageError } from './failure.ts';
import { startProgress } from './progress.ts';
import { formatBytes, type Terminal } from './terminal.ts';

export interface LoadedModel {
  /** As it was asked for. */
  readonly name: string;
  readonly model: Model;
  /** Reading and importing; fetching not counted. */
  readonly loadMs: number;
  /** Where it came out of the zoo. */
  readonly files?: ZooFiles;
}

export interface LoadOptions {
  readonly offline?: boolean;
}

const isModel = (entry: ZooEntry): boolean => entry.format === 'tfjs' || entry.format === 'onnx';
const modelNames = (): string => Object.keys(zoo).filter((name) => isModel(zoo[name])).join(', ');

/** @throws UsageError where there is neither an entry nor a file of this name; what fetching and reading throw. */
export async function loadModel(name: string, terminal: Terminal, options: LoadOptions = {}): Promise<LoadedModel> {
  const inZoo = Object.hasOwn(zoo, name);
  if (inZoo && !isModel(zoo[name])) throw new UsageError(`${name}: expected a model, got ${zoo[name].kind}`);
  if (!inZoo && !(await stat(name).catch(() => undefined))) {
    throw new UsageError(`${name}: expected a file, or a model of the zoo (${modelNames()}), got neither`);
  }
  const files = inZoo ? await fetchEntry(name, terminal, options) : undefined;
  const start = performance.now();
  const model = await loadModelFile(files?.path ?? name);
  return { name, model, files, loadMs: performance.now() - start };
}

/** An entry's files, with the progress of fetching them. */
export async function fetchEntry(name: string, terminal: Terminal, { offline = false }: LoadOptions = {}): Promise<ZooFiles> {
  let progress: ReturnType<typeof startProgress> | undefined;
  try {
    const files = await zooGet(name, {
      offline,
      onProgress: ({ done, total }) => {
        progress ??= startProgress(terminal, `fetching ${name}`, { total });
        progress.update(Math.min(done, total), total);
      },
    });
    progress?.stop(`fetched ${name}, ${formatBytes(sizeOfEntry(files.entry))}, into ${files.folder}`);
    return files;
  } catch (error) {
    progress?.stop();
    throw error;
  }
}

/** What there is to fetch. */
export const sizeOfEntry = ({ sources }: ZooEntry): number => sources.reduce((sum, { bytes }) => sum + bytes, 0);
