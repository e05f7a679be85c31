/** A small convolutional network for pictures of digits. */
import { BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential } from 'whetstone/nn';
import type { Tensor } from 'whetstone/tensor';

/** Samples of 0 to 255, brought to mean 0 and deviation 1 over all of MNIST. */
class Normalise extends Module {
  forward(samples: Tensor): Tensor {
    return samples.toFloat().sub(33.3).div(78.6);
  }
}

export interface Layers {
  /** Channels of the two convolutions. */
  readonly channels: readonly [number, number];
  readonly hidden: number;
  readonly dropout: number;
}

/** uint8 [batch, 1, 28, 28] to scores of the ten digits, [batch, 10]. */
export const digitNetwork = ({ channels: [first, second], hidden, dropout }: Layers): Sequential =>
  new Sequential(
    new Normalise(),
    new Conv2d(1, first, 3, { padding: 1, bias: false }), new BatchNorm2d(first), new ReLU(), new MaxPool2d(2),
    new Conv2d(first, second, 3, { padding: 1, bias: false }), new BatchNorm2d(second), new ReLU(), new MaxPool2d(2),
    new Flatten(), new Linear(second * 7 * 7, hidden), new ReLU(), new Dropout(dropout), new Linear(hidden, 10),
  );
