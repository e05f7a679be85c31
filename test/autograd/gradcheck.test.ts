/** The gradient of every differentiable operator is what central differences say, and so is the gradient of the gradient. */
import { describe, expect, test } from 'vitest';
import { opNames } from '../../src/graph/index.ts';
import '../../src/ops/index.ts';
import { cases, reasons } from './cases.ts';
import { gradcheck, gradientsOf, problemOf, weightedSum } from './check.ts';
import { random } from '../support/ops.ts';

test('every operator has a case, or a reason why not', () => {
  const covered = new Set(cases.map(({ op }) => op));
  expect(opNames().filter((op) => covered.has(op) === op in reasons)).toEqual([]);
  expect([...covered, ...Object.keys(reasons)].filter((op) => !opNames().includes(op))).toEqual([]);
});

describe.each([...new Set(cases.map(({ op }) => op))])('%s', (op) => {
  const own = cases.filter((entry) => entry.op === op);

  test.each(own.map((entry, i) => [i, entry] as const))('gradient %i', (i, entry) => gradcheck(problemOf(entry, i + 1)));

  test.each(own.map((entry, i) => [i, entry] as const).filter(([, { order }]) => order > 1))('gradient of the gradient %i', (i, entry) => {
    const problem = problemOf(entry, i + 1);
    const first = gradientsOf(problem).filter((value) => value !== null);
    if (first.length > 0) gradcheck({ ...problem, loss: weightedSum(first, random(7)) }, 1e-6);
  });
});
