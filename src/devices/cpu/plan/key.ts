/** Names for expressions: equal keys mean equal code, so that a kernel is generated once for all the steps that need it. */
import type { Value } from '../../../graph/index.ts';
import { type Expression, scalarOf } from '../kernels/index.ts';

const keys = new WeakMap<Expression, string>();

/** What an expression computes, leaves by position. */
export function expressionKey(expression: Expression): string {
  let key = keys.get(expression);
  if (key === undefined) keys.set(expression, (key = makeKey(expression)));
  return key;
}

function makeKey({ nodes, leaves, results }: Expression): string {
  const names = new Map<Value, string>();
  leaves.forEach((leaf, i) => names.set(leaf, `l${i}:${leaf.dtype}`));
  const nameOf = (value: Value) => names.get(value) ?? `${value.dtype}(${scalarOf(value)})`;
  const parts = nodes.map((node, i) => {
    const inputs = node.inputs.map((value) => (value ? nameOf(value) : '-'));
    node.outputs.forEach((value) => names.set(value, `n${i}:${value.dtype}`));
    return `${node.op}(${inputs.join(',')})${JSON.stringify(node.attrs, attrText)}`;
  });
  return `${parts.join(';')}->${results.map(nameOf).join(',')}`;
}

const attrText = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value);

/** The epilogue as the verbose log shows it: `Add+Relu`. */
export const epilogueText = ({ nodes }: Expression): string => nodes.map(({ op }) => op).join('+');
