/** The intermediate representation: what every door leads to and every device starts from. Knows no device. */
export { type Cut, cutModel } from './cut.ts';
export { type DType, type DTypeInfo, dtypes, type TypedArray } from './dtype.ts';
export { GraphError, type Mismatch, sentence } from './errors.ts';
export { hashBytes, hashGraph, type HashOptions, smallTensor } from './hash.ts';
export {
  type Attr,
  type Attrs,
  constantOf,
  type Dim,
  type Graph,
  type GraphInput,
  type GraphOutput,
  type Model,
  type ModelInput,
  Node,
  topologicalOrder,
  useCounts,
  type Value,
} from './node.ts';
export { printGraph } from './print.ts';
export { apply, constant, defineOp, hasOp, type InferContext, input, makeNode, type OpDefinition, opNames, opOf } from './registry.ts';
export { type Rewrite, rewriteGraph } from './rewrite.ts';
export {
  formatType,
  fromNumbers,
  sameShape,
  type Shape,
  sizeOf,
  stridesOf,
  type TensorData,
  tensorData,
  type TensorType,
  toNumbers,
  zeros,
} from './tensor-data.ts';
export { verifyGraph } from './verify.ts';
