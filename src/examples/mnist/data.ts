/** MNIST's four files as datasets: pictures uint8 [1, 28, 28], as they are in the files, and labels int64. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { TensorDataset } from 'whetstone/data';
import { readIdx } from 'whetstone/data/node';
import { fromTensorData, type Tensor } from 'whetstone/tensor';

export type Digits = TensorDataset<readonly [picture: Tensor, label: Tensor]>;

/** @throws DataError where a file is missing, or not what MNIST's are */
export async function readDigits(folder: string, part: 'train' | 't10k'): Promise<Digits> {
  const [pictures, labels] = await Promise.all(['images-idx3-ubyte', 'labels-idx1-ubyte'].map(async (kind) => fromTensorData(await readIdx(await pathOf(folder, `${part}-${kind}`)))));
  return new TensorDataset(pictures.unsqueeze(1), labels.toLong());
}

/** As it is, or packed with gzip, as LeCun's page has it. */
async function pathOf(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  return access(path).then(() => path, () => `${path}.gz`);
}

const shades = ' .:-=+*#%@';
/** A picture in characters, every second line. */
export function draw(picture: Tensor): string[] {
  const [height, width] = picture.shape.slice(-2);
  const samples = picture.toArray() as Uint8Array;
  const shade = (y: number, x: number): string => shades[Math.round((samples[y * width + x] / 255) * (shades.length - 1))];
  return Array.from({ length: height / 2 }, (_, y) => Array.from({ length: width }, (_, x) => shade(2 * y, x)).join(''));
}
