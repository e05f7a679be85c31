/** What a layer's rule is given, and how channel-wise layers find their axes. */
import { GraphError, type Value } from '../../graph/index.ts';
import { FormatError } from '../errors.ts';
import type { Dialect } from './activations.ts';
import type { Fields } from './fields.ts';
import { asIs, channelsFirst, heldChannelsFirst, plain, type Tensor } from './layout.ts';

/**
 * How a weight's axes are rearranged for the graph: `kernel` is [..., in, out] to [out, in, ...], `depthwise`
 * [..., channels, multiplier] to [channels * multiplier, 1, ...], `channels-first` [..., channels] to [channels, ...].
 */
export type Arrangement = 'as-is' | 'kernel' | 'depthwise' | 'channels-first';

/** One call of one layer. */
export interface Call {
  readonly name: string;
  readonly config: Fields;
  /** At least one; all float32 but for layers that take indices. */
  readonly inputs: readonly Tensor[];
  readonly dialect: Dialect;
  /** A weight of the layer by its own name (`kernel`), as a constant. @throws FormatError where it is missing or its rank differs. */
  weight(name: string, rank: number, arrangement?: Arrangement): Value;
}

export type LayerRule = (call: Call) => Tensor;

/** The layer's only input. */
export const only = ({ inputs, config }: Call): Tensor => {
  if (inputs.length !== 1) throw new FormatError(config.where, { file: config.file, expected: '1 input', got: `${inputs.length}` });
  return inputs[0];
};

/** The layer's only input, of the given rank. */
export function onlyOfRank(call: Call, ...ranks: number[]): Tensor {
  const input = only(call);
  const rank = input.value.shape.length;
  if (!ranks.includes(rank)) throw wrongInput(call, `rank ${ranks.join(' or ')}`, `rank ${rank}`);
  return input;
}

export const wrongInput = ({ config }: Call, expected: string, got: string): FormatError =>
  new FormatError(`input of ${config.where}`, { file: config.file, expected, got });

/** Runs a rule's body with channels as axis 1, whichever way Keras was told they lie. */
export function withChannelsFirst(call: Call, input: Tensor, body: (value: Value) => Value): Tensor {
  const last = call.config.oneOf('data_format', ['channels_last', 'channels_first'], 'channels_last') === 'channels_last';
  return last ? onChannels(input, body) : asIs(body(plain(input)));
}

/** Runs a rule's body with Keras's last axis as axis 1. */
export const onChannels = (input: Tensor, body: (value: Value) => Value): Tensor => heldChannelsFirst(body(channelsFirst(input)));

/** A non-negative axis out of Keras's. @throws FormatError where it is none. */
export function axisOf({ config }: Call, field: string, value: unknown, rank: number): number {
  const axis = typeof value === 'number' && value < 0 ? value + rank : value;
  if (!Number.isSafeInteger(axis) || (axis as number) < 0 || (axis as number) >= rank) {
    throw config.wrong(field, `an axis of a tensor of rank ${rank}`);
  }
  return axis as number;
}

/** Errors of nodes a rule makes, as errors of the layer. */
export function inLayer<T>({ config }: Pick<Call, 'config'>, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    throw new FormatError(`${config.where}: ${error.message}`, config.file === undefined ? {} : { file: config.file });
  }
}
