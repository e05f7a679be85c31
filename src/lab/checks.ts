/** What may be logged: each value is checked, and made small enough, where it is handed over. */
import { LabError } from './errors.ts';
import { encodePng, type Pixels, shrink } from './png.ts';
import { mostNameLength } from './record.ts';
import type { Config } from './shared/index.ts';

const mostValues = 1000;
const mostTextLength = 2 ** 16;
const mostConfigLength = 2 ** 16;
/** Pictures larger than this on a side are shrunk; with more samples than that they are refused. */
const mostShownSide = 1024;
const mostSamples = 2 ** 26;
const mostPngBytes = 700_000;

const show = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : typeof value === 'object' ? (value?.constructor?.name ?? 'null') : String(value));

export function checkStep(step: number): number {
  if (!(Number.isSafeInteger(step) && step >= 0)) throw new LabError('step', { expected: 'a whole number from 0 on', got: show(step) });
  return step;
}

export function checkName(name: string): string {
  if (typeof name !== 'string' || name === '' || name.length > mostNameLength || /\p{Cc}/u.test(name)) {
    throw new LabError('name', { expected: `1 to ${mostNameLength} printable characters, such as loss/train`, got: show(name) });
  }
  return name;
}

/** Names of runs are names of folders, on any system. */
export function checkRunName(name: string): string {
  if (typeof name !== 'string' || !/^[\p{L}\p{N}][\p{L}\p{N} ._=,+-]{0,99}$/u.test(name) || /[ .]$/.test(name)) {
    throw new LabError('run', { expected: 'a name of at most 100 letters, digits, spaces and ._=,+- that begins with a letter or digit', got: show(name) });
  }
  return name;
}

/** Numbers as JSON has them; NaN and infinities by name. */
export function checkValues(values: Readonly<Record<string, number>>): Record<string, number | string> {
  if (typeof values !== 'object' || values === null) throw new LabError('values', { expected: "numbers by name, such as { 'loss/train': 0.3 }", got: show(values) });
  const names = Object.keys(values);
  if (names.length > mostValues) throw new LabError('values', { expected: `at most ${mostValues} at once`, got: `${names.length}` });
  const checked: Record<string, number | string> = Object.create(null) as Record<string, number | string>;
  for (const name of names) {
    const value = values[checkName(name)];
    if (typeof value !== 'number') throw new LabError(name, { expected: 'a number', got: show(value), hint: 'a tensor gives its number by .item()' });
    checked[name] = Number.isFinite(value) ? value : String(value);
  }
  return checked;
}

export function checkSamples(values: ArrayLike<number>): ArrayLike<number> {
  if (!(Array.isArray(values) || (ArrayBuffer.isView(values) && 'length' in values && typeof values[0] !== 'bigint'))) {
    throw new LabError('histogram', { expected: 'numbers as a typed array or a list', got: show(values), hint: 'a tensor gives them by .data()' });
  }
  return values;
}

export function checkText(text: string): string {
  if (typeof text !== 'string') throw new LabError('text', { expected: 'text', got: show(text) });
  return text.length <= mostTextLength ? text : `${text.slice(0, mostTextLength)}\n… (cut: ${text.length} characters)`;
}

export function checkConfig(config: Config): Config {
  let json: string | undefined;
  try {
    json = JSON.stringify(config);
  } catch (error) {
    throw new LabError('config', { expected: 'what JSON can hold', got: (error as Error).message });
  }
  if (json === undefined || !json.startsWith('{')) throw new LabError('config', { expected: 'values by name, such as { lr: 0.1 }', got: show(config) });
  if (json.length > mostConfigLength) throw new LabError('config', { expected: `at most ${mostConfigLength} characters of JSON`, got: `${json.length}` });
  return JSON.parse(json) as Config;
}

export interface LoggedImage {
  readonly width: number;
  readonly height: number;
  /** By default what the length of `data` says: 1 is grey, 3 is RGB, 4 is RGB and alpha. */
  readonly channels?: number;
  /** height x width x channels. */
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** A picture as a PNG that fits into a record. */
export function checkImage({ width, height, channels: asked, data }: LoggedImage): { width: number; height: number; png: string } {
  const side = (value: number): boolean => Number.isSafeInteger(value) && value > 0;
  if (!side(width) || !side(height)) throw new LabError('image', { expected: 'a width and a height from 1 on', got: `${width} x ${height}` });
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) throw new LabError('image', { expected: 'samples as Uint8Array or Uint8ClampedArray', got: show(data) });
  const channels = asked ?? data.length / (width * height);
  if (data.length > mostSamples) throw new LabError('image', { expected: `at most ${mostSamples} samples`, got: `${data.length}` });
  if (!(channels === 1 || channels === 3 || channels === 4) || data.length !== width * height * channels) {
    throw new LabError('image', { expected: `${width} x ${height} samples of ${asked ?? '1, 3 or 4'} channels`, got: `${data.length} samples` });
  }
  const factor = Math.ceil(Math.max(width, height) / mostShownSide);
  let pixels: Pixels = { width, height, channels, data };
  if (factor > 1) pixels = shrink(pixels, factor);
  let png = encodePng(pixels);
  while (png.length > mostPngBytes) png = encodePng((pixels = shrink(pixels, 2)));
  return { width: pixels.width, height: pixels.height, png: png.toString('base64') };
}
