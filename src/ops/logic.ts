/** Comparisons, boolean logic and Where. NaN compares as IEEE 754 says. */
import { apply, defineOp, type TensorData } from '../graph/index.ts';
import { broadcastShapes, commonDType, operand } from './helpers.ts';
import { definePointwise, mapElements, markPointwise, pointwiseGradient, type PointwiseRow } from './pointwise.ts';
import { where } from './terms.ts';

type Element = number | bigint;

const comparison = (name: string, any: (a: Element, b: Element) => boolean, rest: Partial<PointwiseRow> = {}): PointwiseRow => ({
  name,
  inputs: 2,
  group: 'numeric',
  result: 'bool',
  any,
  ...rest,
});

const logical = (name: string, any: (a: number, b: number) => number): PointwiseRow => ({ name, inputs: 2, group: 'bool', any });

const rows: PointwiseRow[] = [
  comparison('Equal', (a, b) => a === b, { group: 'any' }),
  comparison('Greater', (a, b) => a > b),
  comparison('GreaterOrEqual', (a, b) => a >= b, { decompose: ([a, b]) => apply('LessOrEqual', [b, a]) }),
  comparison('Less', (a, b) => a < b, { decompose: ([a, b]) => apply('Greater', [b, a]) }),
  comparison('LessOrEqual', (a, b) => a <= b, { decompose: ([a, b]) => apply('Or', [apply('Less', [a, b]), apply('Equal', [a, b])]) }),
  logical('And', (a, b) => a & b),
  logical('Or', (a, b) => a | b),
  logical('Xor', (a, b) => a ^ b),
];

rows.forEach(definePointwise);

markPointwise('Where');
defineOp({
  name: 'Where',
  inputs: [3, 3],
  infer(context) {
    const condition = operand(context, 0, 'bool', 'condition');
    const branches = [operand(context, 1), operand(context, 2)];
    return [{ dtype: commonDType(branches), shape: broadcastShapes(condition.shape, ...branches.map(({ shape }) => shape)) }];
  },
  evaluate: (operands, _attrs, [type]) => [
    mapElements((condition: number, a: unknown, b: unknown) => (condition ? a : b), operands as TensorData[], type, 'any'),
  ],
  gradient: pointwiseGradient((dy, [condition]) => [null, where(condition, dy, 0), where(condition, 0, dy)]),
});
