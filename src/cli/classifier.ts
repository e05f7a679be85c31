/** A model, and all it takes to get from pictures to named classes. */
import { readFile } from 'node:fs/promises';
import { type CompiledModel, compileModel, type Executable, type Image, type IsaName, type Precision, type Prediction, preprocess, type Recipe, topK } from '../index.ts';
import { UsageError } from './failure.ts';
import { type LoadedModel, loadModel } from './load.ts';
import type { Terminal } from './terminal.ts';

export interface ClassifierOptions {
  readonly isa?: IsaName;
  readonly threads?: number;
  readonly precision?: Precision;
  readonly offline?: boolean;
  /** How a file's model wants its pictures; the zoo knows for its own. */
  readonly layout?: Recipe['layout'];
  readonly order?: Recipe['order'];
  readonly scale?: number;
  readonly mean?: readonly [number, number, number];
  readonly std?: readonly [number, number, number];
  readonly size?: number;
  /** A file of class names. */
  readonly labels?: string;
}

export interface Classifier {
  readonly name: string;
  readonly loadMs: number;
  readonly compiled: CompiledModel;
  /** The program for this many pictures; compiled at the first call. */
  executable(batch: number): Executable;
  /** The likeliest classes of each picture, best first, and what the network took. */
  classify(images: readonly Image[], top: number): { predictions: Prediction[][]; ms: number };
}

/** @throws UsageError for a model that takes anything but one picture tensor; what loading throws. */
export async function makeClassifier(name: string, terminal: Terminal, options: ClassifierOptions): Promise<Classifier> {
  const loaded = await loadModel(name, terminal, options);
  const recipe = recipeFor(loaded, options);
  const labels = options.labels === undefined ? loaded.files?.labels : await readLabels(options.labels);
  const compiled = compileModel(loaded.model, 'cpu', { isa: options.isa, threads: options.threads, precision: options.precision });
  const [input] = compiled.inputs;
  const [output] = compiled.outputs;
  const { width, height } = recipe.fit as { width: number; height: number };
  return {
    name,
    loadMs: loaded.loadMs,
    compiled,
    executable: (batch) => compiled.compile({ [input.name]: recipe.layout === 'NCHW' ? [batch, 3, height, width] : [batch, height, width, 3] }),
    classify(images, top) {
      const tensor = preprocess(images, recipe);
      const start = performance.now();
      const results = compiled.infer(tensor);
      const ms = performance.now() - start;
      return { predictions: topK(results[output], top, labels), ms };
    },
  };
}

/** How models trained with torchvision on ImageNet want their pictures; most others that classify do as well. */
const imageNet = { scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

function recipeFor({ name, model, files }: LoadedModel, options: ClassifierOptions): Recipe {
  if (files) {
    const { kind, input } = files.entry;
    if (kind !== 'classifier' || !input) throw new UsageError(`${name}: expected a classifier, got a ${kind}`);
    return input.recipe;
  }
  const [input] = model.inputs;
  const shape = input?.shape ?? [];
  if (model.inputs.length !== 1 || shape.length !== 4 || input.dtype !== 'float32') {
    const got = model.inputs.map((one) => `${one.name} ${one.dtype}[${one.shape.join(',')}]`).join(', ');
    throw new UsageError(`${name}: expected a model with one input float32[N,3,H,W] or [N,H,W,3], got ${got}`);
  }
  const layout = options.layout ?? (shape[3] === 3 && shape[1] !== 3 ? 'NHWC' : 'NCHW');
  const [height, width] = (layout === 'NCHW' ? shape.slice(2) : shape.slice(1, 3)).map((dim) => (typeof dim === 'number' ? dim : (options.size ?? 224)));
  return {
    // The share of the picture that is kept, as torchvision's references do it: 224 out of 256.
    fit: { mode: 'crop', shorter: Math.round((Math.min(height, width) * 256) / 224), width, height },
    layout,
    order: options.order ?? 'RGB',
    scale: options.scale ?? imageNet.scale,
    mean: options.mean ?? imageNet.mean,
    std: options.std ?? imageNet.std,
  };
}

/** Names of classes: JSON (a list, or an object by index) or a line each. @throws UsageError where it is none of them. */
async function readLabels(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8');
  if (!/^\s*[[{]/.test(text)) return text.replace(/\r?\n$/, '').split(/\r?\n/);
  try {
    const values: unknown[] = Object.values(JSON.parse(text) as object);
    // Keras keeps [id, name] of each class.
    return values.map((value) => String(Array.isArray(value) ? value.at(-1) : value));
  } catch (error) {
    throw new UsageError(`--labels: ${path} is no JSON: ${(error as Error).message}`);
  }
}
