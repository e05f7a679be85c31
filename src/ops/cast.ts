/**
 * Cast: attribute `to` is the dtype's name ('float32', ...). Floats to integers truncate; where ONNX leaves the result
 * open (out of range, NaN) they saturate, NaN to 0. Integers to integers keep the low bits. Anything but 0 is true.
 */
import { type Attrs, type DType, defineOp, dtypes, type TensorData } from '../graph/index.ts';
import { bigintsOf, dtypeGroups, fromElements, isFloat, numbersOf, operand, stringAttr } from './helpers.ts';
import { markPointwise } from './pointwise.ts';
import { cast } from './terms.ts';

const target = (attrs: Attrs): DType => stringAttr<DType>(attrs, 'to', undefined, dtypeGroups.any);

markPointwise('Cast');
defineOp({
  name: 'Cast',
  inputs: [1, 1],
  infer: (context) => [{ dtype: target(context.attrs), shape: operand(context, 0).shape }],
  evaluate: ([x], _attrs, [type]) => [castData(x!, type.dtype)],
  gradient: ({ inputs: [x] }, [dy]) => [cast(dy!, x!.dtype)],
});

/** The same values as another dtype. */
export function castData(x: TensorData, dtype: DType): TensorData {
  if (x.dtype === dtype) return x;
  const type = { dtype, shape: x.shape };
  if (dtype === 'bool') return fromElements(type, Uint8Array.from(numbersOf(x), (value) => (value === 0 ? 0 : 1)));
  if (dtypes[dtype].kind === 'int' && !isFloat(x.dtype)) return fromElements(type, bigintsOf(x));
  if (dtypes[x.dtype].bytes === 8 && !isFloat(x.dtype) && isFloat(dtype) && dtype !== 'float64') {
    return fromElements(type, Array.from(bigintsOf(x), roundToOdd));
  }
  return fromElements(type, numbersOf(x));
}

/**
 * A 64-bit integer as a double whose last bit remembers whether anything was lost: rounding it once more, to a narrower
 * float, then gives what one rounding would. (Boldo and Melquiond, When double rounding is odd, 2005.)
 */
function roundToOdd(value: bigint): number {
  const upper = value >> 11n;
  const exact = upper << 11n === value;
  return exact || (value < 1n << 53n && value > -(1n << 53n)) ? Number(value) : Number(upper | 1n) * 2048;
}
