/** One view of a node's operands, so that shape rule, reference evaluation and devices read geometry the same way. */
import { type Attrs, constantOf, type InferContext, type TensorData, type TensorType, type Value } from '../graph/index.ts';

/** A `Node`, the operands of `evaluate`, or the context of `infer`. */
export interface OpSource {
  readonly inputs: readonly (TensorType | TensorData | Value | null)[];
  readonly attrs: Attrs;
  constant?(i: number): TensorData | undefined;
}

/** The source as shape rules see it: operand values are those given, or those of Constant nodes. */
export function contextOf(source: OpSource): InferContext {
  if (source.constant) return source as InferContext;
  const { inputs, attrs } = source;
  return {
    inputs,
    attrs,
    constant: (i) => {
      const operand = inputs[i];
      if (!operand) return undefined;
      return 'data' in operand ? operand : 'node' in operand ? constantOf(operand) : undefined;
    },
  };
}
