/** Activations as modules: a table of functions, and what they print of their arguments. */
import * as t from '../tensor/index.ts';
import { float, keywords, python } from './print.ts';
import { Module, Parameter } from './module.ts';

export abstract class Activation extends Module {
  abstract override forward(x: t.Tensor): t.Tensor;
}

/** A module around a function whose further arguments are the constructor's. */
function activation<A extends readonly unknown[]>(name: string, fn: (x: t.Tensor, ...args: A) => t.Tensor, extra: (...args: A) => string = () => ''): new (...args: A) => Activation {
  const made = class extends Activation {
    readonly #args: A;
    constructor(...args: A) {
      super();
      this.#args = args;
    }
    forward(x: t.Tensor): t.Tensor {
      return fn(x, ...this.#args);
    }
    override extraRepr(): string {
      return extra(...this.#args);
    }
  };
  Object.defineProperty(made, 'name', { value: name });
  return made;
}

const plain = (name: string, fn: (x: t.Tensor) => t.Tensor): new () => Activation => activation(name, (x) => fn(x));
const dim = (dim: number): string => keywords({ dim });

/** max(x, 0) */
export const ReLU = plain('ReLU', t.relu);
/** x within [0, 6] */
export const ReLU6 = plain('ReLU6', t.relu6);
/** x, or negativeSlope x below 0 */
export const LeakyReLU = activation('LeakyReLU', (x, negativeSlope = 0.01) => t.leakyRelu(x, negativeSlope), (slope?: number) => keywords({ negative_slope: slope ?? 0.01 }));
/** x, or alpha (e^x - 1) below 0 */
export const ELU = activation('ELU', (x, alpha = 1) => t.elu(x, alpha), (alpha?: number) => `alpha=${float(alpha ?? 1)}`);
/** max(x, 0) + min(alpha (e^(x / alpha) - 1), 0) */
export const CELU = activation('CELU', (x, alpha = 1) => t.celu(x, alpha), (alpha?: number) => `alpha=${float(alpha ?? 1)}`);
export const SELU = plain('SELU', t.selu);
/** x sigmoid(x) */
export const SiLU = plain('SiLU', t.silu);
export const Mish = plain('Mish', t.mish);
/** x Φ(x), or its approximation by tanh */
export const GELU = activation('GELU', (x, { approximate = 'none' } = {}) => t.gelu(x, approximate), (options?: { readonly approximate?: 'none' | 'tanh' }) => keywords({ approximate: options?.approximate ?? 'none' }));
export const Sigmoid = plain('Sigmoid', t.sigmoid);
export const LogSigmoid = plain('LogSigmoid', t.logsigmoid);
export const Tanh = plain('Tanh', t.tanh);
/** x - tanh(x) */
export const Tanhshrink = plain('Tanhshrink', (x) => x.sub(x.tanh()));
export const Softsign = plain('Softsign', t.softsign);
/** x within [min, max] */
export const Hardtanh = activation('Hardtanh', (x, min = -1, max = 1) => t.hardtanh(x, min, max), (min?: number, max?: number) => `min_val=${float(min ?? -1)}, max_val=${float(max ?? 1)}`);
export const Hardsigmoid = plain('Hardsigmoid', t.hardsigmoid);
export const Hardswish = plain('Hardswish', t.hardswish);
/** log(1 + e^(beta x)) / beta */
export const Softplus = activation('Softplus', (x, beta = 1) => (beta === 1 ? t.softplus(x) : t.softplus(x.mul(beta)).div(beta)), (beta?: number) => `beta=${float(beta ?? 1)}, threshold=20.0`);
/** x where its magnitude is above lambda, else 0 */
export const Hardshrink = activation('Hardshrink', (x, lambda = 0.5) => t.where(x.abs().gt(lambda), x, 0), (lambda?: number) => python(lambda ?? 0.5));
/** x moved by lambda towards 0, and 0 within */
export const Softshrink = activation('Softshrink', (x, lambda = 0.5) => x.sub(x.clamp(-lambda, lambda)), (lambda?: number) => python(lambda ?? 0.5));
/** x where above the threshold, else the value */
export const Threshold = activation('Threshold', (x, threshold: number, value: number) => t.where(x.gt(threshold), x, value), (threshold, value) => keywords({ threshold, value }));
/** e^x over its sum along a dimension */
export const Softmax = activation('Softmax', (x, along: number) => t.softmax(x, along), dim);
export const LogSoftmax = activation('LogSoftmax', (x, along: number) => t.logSoftmax(x, along), dim);
/** softmax(-x) */
export const Softmin = activation('Softmin', (x, along: number) => t.softmax(x.neg(), along), dim);
/** The first half of a dimension times the sigmoid of the second. */
export const GLU = activation('GLU', (x, along = -1) => {
  const [a, b] = x.chunk(2, along);
  return a.mul(b.sigmoid());
}, (along?: number) => dim(along ?? -1));

/** x, or a learnt slope times x below 0: one slope, or one a channel; weight [numParameters]. */
export class PReLU extends Activation {
  weight: Parameter;
  constructor(numParameters = 1, init = 0.25) {
    super();
    this.weight = new Parameter(t.full([numParameters], init));
  }
  forward(x: t.Tensor): t.Tensor {
    return t.prelu(x, this.weight);
  }
  override extraRepr(): string {
    return keywords({ num_parameters: this.weight.numel });
  }
}
