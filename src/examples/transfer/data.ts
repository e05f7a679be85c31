/** Labelled pictures: a folder of one's own with a folder for each class, or CIFAR-10. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError, type Dataset, mapDataset, randomSplit } from 'whetstone/data';
import { imageFolder } from 'whetstone/data/node';
import type { Image } from 'whetstone/vision';
import { readImage } from 'whetstone/vision/node';

export interface Labelled {
  readonly image: Image;
  readonly label: number;
}

export interface Pictures {
  readonly classes: readonly string[];
  readonly train: Dataset<Labelled>;
  readonly test: Dataset<Labelled>;
}

/** Pictures of a folder, at most so many of them: four of five to train on. @throws DataError, VisionError */
export async function folderPictures(path: string, { train, test }: { readonly train: number; readonly test: number }, seed: number): Promise<Pictures> {
  const folder = await imageFolder(path);
  const held = Math.max(1, Math.min(test, Math.round(folder.length / 5)));
  const used = Math.min(train, folder.length - held);
  if (used < 1) throw new DataError(path, { expected: 'two pictures or more', got: `${folder.length}` });
  const pictures = mapDataset(folder, ([image, label]): Labelled => ({ image, label: label.item() }));
  const [trained, tested] = randomSplit(pictures, [used, held, folder.length - used - held], seed);
  return { classes: folder.classes, train: trained, test: tested };
}

const cifarClasses = ['aeroplane', 'car', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'lorry'];
const side = 32;

/** The first pictures of CIFAR-10's first training file, and of its test file; they lie in random order there. @throws DataError, VisionError */
export async function cifarPictures(folder: string, { train, test }: { readonly train: number; readonly test: number }): Promise<Pictures> {
  const part = async (pictures: string, labels: string, count: number): Promise<Dataset<Labelled>> => {
    const sheet = await readImage(join(folder, pictures));
    const classes: unknown = JSON.parse(await readFile(join(folder, labels), 'utf8'));
    // Each row of the sheet is a picture of 32 x 32.
    if (sheet.width !== side * side || sheet.channels !== 3) throw new DataError(pictures, { expected: `${side * side} RGB pixels a row`, got: `${sheet.width}, ${sheet.channels} channels` });
    const isLabel = (label: unknown): label is number => Number.isInteger(label) && (label as number) >= 0 && (label as number) < cifarClasses.length;
    if (!Array.isArray(classes) || classes.length < sheet.height || !classes.every(isLabel)) throw new DataError(labels, { expected: `${sheet.height} labels from 0 to 9`, got: 'something else' });
    const bytes = side * side * 3;
    return {
      length: Math.min(count, sheet.height),
      get: (index) => ({ image: { width: side, height: side, channels: 3, data: sheet.data.subarray(index * bytes, (index + 1) * bytes) }, label: classes[index] }),
    };
  };
  const [trained, tested] = await Promise.all([part('data_batch_1.png', 'train_labels.json', train), part('test_batch.png', 'test_labels.json', test)]);
  return { classes: cifarClasses, train: trained, test: tested };
}
