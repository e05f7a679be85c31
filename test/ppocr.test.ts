/**
 * PP-OCR from the npm registry, end to end: a line of text is read, a page's text is found, and a line is known to be upside
 * down; on every instruction set that this machine runs. The pictures in test/data were rendered from DejaVu Sans and DejaVu
 * Serif, dark grey on white, 56 pixels high. Skips with a plain word where the models cannot be fetched.
 */
import { fileURLToPath } from 'node:url';
import { describe, expect, test, type TestContext, vi } from 'vitest';
import { compileModel, cpu, crop, ctcGreedy, evaluateGraph, type Image, type IsaName, type Model, preprocess, resize, type TensorData, toNumbers } from '../src/index.ts';
import { loadOnnxFile } from '../src/formats/node.ts';
import { readImage } from '../src/vision/node.ts';
import { type ZooFiles, ZooError, zooGet, zooHas } from '../src/zoo/index.ts';
import { isas } from './support/cpu.ts';

// The reference takes seconds, and so may the registry.
vi.setConfig({ testTimeout: 180_000 });

const picture = (name: string): Promise<Image> => readImage(fileURLToPath(new URL(`data/${name}.png`, import.meta.url)));

interface Fetched {
  readonly files: ZooFiles;
  readonly model: Model;
  /** Pictures as the model wants them. */
  readonly prepare: (images: Image | readonly Image[]) => TensorData;
}

// One try more is enough to tell that there is no network; npm's own default waits for more than a minute.
process.env.npm_config_fetch_retries ??= '1';
const fetched = new Map<string, Promise<Fetched>>();
let noNetwork: string | undefined;

/** A model of the zoo; without a network the test that asks is skipped. */
async function fetch(name: string, { skip }: TestContext): Promise<Fetched> {
  const load = async (): Promise<Fetched> => {
    const files = await zooGet(name);
    return { files, model: await loadOnnxFile(files.path), prepare: (images) => preprocess(images, files.entry.input!.recipe) };
  };
  if (noNetwork && !(await zooHas(name))) skip(noNetwork);
  if (!fetched.has(name)) fetched.set(name, load());
  try {
    return await (fetched.get(name) as Promise<Fetched>);
  } catch (error) {
    if (!(error instanceof ZooError) || !/no connection/.test(error.message)) throw error;
    noNetwork = `skipped: ${name} is not here and cannot be fetched: ${error.message}`;
    console.log(noNetwork);
    return skip(noNetwork);
  }
}

function run(model: Model, isa: IsaName, x: TensorData): TensorData {
  const compiled = compileModel(model, cpu, { isa });
  try {
    return compiled.infer({ x })[model.outputs[0]];
  } finally {
    compiled.dispose();
  }
}

/** Largest difference, in parts of the largest expected value; Infinity where there is no telling. */
function distance(got: TensorData, want: TensorData): number {
  expect(got.shape).toEqual(want.shape);
  let [scale, most] = [0, 0];
  for (let i = 0; i < want.data.length; i++) {
    const [a, b] = [Number(got.data[i]), Number(want.data[i])];
    if (!Number.isFinite(a - b)) return Infinity;
    scale = Math.max(scale, Math.abs(b));
    most = Math.max(most, Math.abs(a - b));
  }
  return most / scale;
}

const upsideDown = ({ width, height, channels, data }: Image): Image => {
  const turned = new Uint8Array(data.length);
  const pixels = width * height;
  for (let i = 0; i < pixels; i++) turned.set(data.subarray(i * channels, (i + 1) * channels), (pixels - 1 - i) * channels);
  return { width, height, channels, data: turned };
};

describe('agrees with the reference', () => {
  /** The reference is slow: a part of a line is enough to go through every operator. */
  const part = async (width: number, height: number) => resize(crop(await picture('line-short'), { left: 0, top: 0, width: 84, height: 56 }), width, height);
  for (const [name, width, height] of [['ppocr-rec', 64, 48], ['ppocr-det', 96, 64], ['ppocr-cls', 192, 48]] as const) {
    test(name, async (context) => {
      const { files, model } = await fetch(name, context);
      const x = preprocess(await part(width, height), { ...files.entry.input!.recipe, fit: { mode: 'stretch', width, height } });
      const want = evaluateGraph(model.build({ x: x.shape }), { x })[model.outputs[0]];
      for (const isa of isas) expect(distance(run(model, isa, x), want), isa).toBeLessThan(1e-4);
    });
  }
});

describe('reads text', () => {
  const lines = { 'line-short': 'Whetstone', 'line-long': 'Reads 1972 lines of text: quick, exact & plain.' };
  for (const isa of isas) {
    test(`lines of different widths, by one model, on ${isa}`, async (context) => {
      const { files, model, prepare } = await fetch('ppocr-rec', context);
      const compiled = compileModel(model, cpu, { isa });
      for (const [name, text] of Object.entries(lines)) {
        const [line] = ctcGreedy(compiled.infer({ x: prepare(await picture(name)) })[model.outputs[0]], files.labels!);
        expect(line.text).toBe(text);
        expect(line.score).toBeGreaterThan(0.9);
      }
      compiled.dispose();
    });
  }

  test('two lines in one batch, and the same again without waiting', async (context) => {
    const { files, model, prepare } = await fetch('ppocr-rec', context);
    const compiled = compileModel(model, cpu);
    const x = prepare(await Promise.all(Object.keys(lines).map(picture)));
    expect(x.shape[0]).toBe(2);
    const results = [compiled.infer({ x }), ...(await Promise.all([compiled.inferAsync({ x }), compiled.inferAsync({ x })]))];
    for (const result of results) {
      expect(ctcGreedy(result[model.outputs[0]], files.labels!).map(({ text }) => text)).toEqual(Object.values(lines));
    }
    compiled.dispose();
  });
});

/** A white page with pictures on it. */
function page(width: number, height: number, pictures: readonly (readonly [image: Image, left: number, top: number])[]): Image {
  const data = new Uint8Array(width * height * 3).fill(255);
  for (const [image, left, top] of pictures) {
    for (let y = 0; y < image.height; y++) {
      const row = image.data.subarray(y * image.width * 3, (y + 1) * image.width * 3);
      data.set(row, ((top + y) * width + left) * 3);
    }
  }
  return { width, height, channels: 3, data };
}

test('finds text on a page', async (context) => {
  const { model, prepare } = await fetch('ppocr-det', context);
  const [short, long] = await Promise.all(['line-short', 'line-long'].map(picture));
  const boxes = [{ image: short, left: 200, top: 96 }, { image: resize(long, 560, 38), left: 40, top: 416 }];
  const x = prepare(page(640, 640, boxes.map(({ image, left, top }) => [image, left, top])));
  expect(x.shape).toEqual([1, 3, 640, 640]);
  const maps = isas.map((isa) => run(model, isa, x));
  for (const map of maps) expect(distance(map, maps[0])).toBeLessThan(1e-4);
  const probabilities = maps[0].data as Float32Array;
  const isText = (left: number, top: number) => probabilities[top * 640 + left] > 0.5;
  for (const { image, left, top } of boxes) {
    const row = Array.from({ length: image.width }, (_, i) => isText(left + i, top + Math.floor(image.height / 2)));
    // The model marks the heart of a line, and the pictures have margins.
    expect(row.filter(Boolean).length / image.width).toBeGreaterThan(0.6);
  }
  // Nothing but in the boxes.
  let elsewhere = 0;
  for (let i = 0; i < probabilities.length; i++) {
    const [column, line] = [i % 640, Math.floor(i / 640)];
    const inside = boxes.some(({ image, left, top }) => column >= left && column < left + image.width && line >= top && line < top + image.height);
    if (!inside && isText(column, line)) elsewhere++;
  }
  expect(elsewhere).toBe(0);
});

test('knows what is upside down', async (context) => {
  const { model, prepare } = await fetch('ppocr-cls', context);
  // The model looks at four times the height of a line.
  const line = crop(await picture('line-short'), { left: 0, top: 0, width: 224, height: 56 });
  for (const isa of isas) {
    const [upright, turned] = [line, upsideDown(line)].map((image) => toNumbers(run(model, isa, prepare(image))));
    expect(upright[0], isa).toBeGreaterThan(0.9);
    expect(turned[1], isa).toBeGreaterThan(0.9);
  }
});
