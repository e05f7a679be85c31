/** One case on one target: passed, failed or skipped, and why. */
import { dtypes, formatType, GraphError, type Model, sameShape, type TensorData } from '../../src/graph/index.ts';
import { FormatError, importOnnx } from '../../src/formats/index.ts';
import { canExpress } from '../../src/formats/onnx/upgrades.ts';
import { dtypeOf, elementTypeOf } from '../../src/formats/onnx/tensors.ts';
import { numbersOf } from '../../src/ops/index.ts';
import type { Case, DataSet } from './cases.ts';
import { excused, listedElementTypes, listedOps } from './listed.ts';
import type { Target } from './targets.ts';

export type Outcome = { readonly kind: 'pass' } | { readonly kind: 'fail' | 'skip'; readonly why: string };

/** As ONNX's own runner compares (onnx/backend/test/runner); its cases have no tolerances of their own. */
const relativeTolerance = 1e-3;
const absoluteTolerance = 1e-7;

export async function runCase(testCase: Case, target: Target): Promise<Outcome> {
  const why = skipReason(testCase, target);
  if (why !== undefined) return { kind: isListed(testCase) ? 'fail' : 'skip', why };
  try {
    for (const dataSet of testCase.dataSets()) {
      const wrong = await runDataSet(testCase, dataSet, target);
      if (wrong !== undefined) return { kind: 'fail', why: wrong };
    }
    return { kind: 'pass' };
  } catch (error) {
    const known = error instanceof GraphError || error instanceof FormatError;
    return { kind: 'fail', why: known ? error.message : String((error as Error).stack) };
  }
}

/** Whether the case uses only what must pass. */
export const isListed = ({ ops, elementTypes }: Case): boolean =>
  ops.every((op) => listedOps.has(op)) && elementTypes.every((type) => listedElementTypes.has(type));

function skipReason({ name, ops, elementTypes }: Case, { without = [], lacks = () => false }: Target): string | undefined {
  const excuse = excused.find((row) => row.name.test(name));
  if (excuse) return excuse.why;
  const missing = ops.filter((op) => op !== 'If' && !canExpress(op));
  if (missing.length > 0) return `operators that Whetstone does not have yet: ${missing.join(', ')}`;
  const notRun = ops.filter(lacks);
  if (notRun.length > 0) return `operators that this target does not run: ${notRun.join(', ')}`;
  for (const type of elementTypes) {
    if (type === undefined) return 'sequences, optionals and maps';
    try {
      const dtype = dtypeOf(type, '');
      if (without.includes(dtype)) return `${dtype} on this target`;
    } catch {
      return 'strings and complex numbers';
    }
  }
  return undefined;
}

async function runDataSet({ name, bytes, proto }: Case, { inputs, outputs }: DataSet, target: Target): Promise<string | undefined> {
  const initializers = new Set(proto.graph!.initializer.map((tensor) => tensor.name));
  const names = proto.graph!.input.map((info) => info.name ?? '').filter((input) => !initializers.has(input));
  const declared = new Map(proto.graph!.input.map((info) => [info.name, info.type?.tensor_type?.elem_type]));
  const given = new Map(names.map((input, i) => [input, asDeclared(inputs[i], declared.get(input))]));
  const { model, free } = importWith(bytes, name, given);
  const graph = model.build(Object.fromEntries(free.map((input) => [input, given.get(input)!.shape])));
  const results = await target.run(graph, free.map((input) => given.get(input)!));
  if (results.length < outputs.length) return `${results.length} results, expected ${outputs.length}`;
  for (const [i, expected] of outputs.entries()) {
    const wrong = compare(results[i], asDeclared(expected, proto.graph!.output[i].type?.tensor_type?.elem_type));
    if (wrong !== undefined) return `result ${i}: ${wrong}`;
  }
  return undefined;
}

/** NumPy has no bfloat16: the cases keep its bits as uint16. */
const asDeclared = (data: TensorData, elementType: number | undefined): TensorData =>
  data.dtype === 'uint16' && elementType === elementTypeOf('bfloat16') ? { ...data, dtype: 'bfloat16' } : data;

/**
 * The cases give even shape operands (axes, sizes, conditions) as inputs. What the model must know to be built is bound to
 * its value: first nothing, then integers, then all but the first input, then all.
 */
function importWith(bytes: Uint8Array, name: string, given: ReadonlyMap<string, TensorData>): { model: Model; free: string[] } {
  const all = [...given.keys()];
  const isInteger = (input: string) => dtypes[given.get(input)!.dtype].kind === 'int';
  const choices = [[], all.filter(isInteger), all.slice(1), all];
  for (const [i, chosen] of choices.entries()) {
    const model = importOnnx(bytes, { name, bind: Object.fromEntries(chosen.map((input) => [input, given.get(input)!])) });
    const free = all.filter((input) => !chosen.includes(input));
    try {
      model.build(Object.fromEntries(free.map((input) => [input, given.get(input)!.shape])));
      return { model, free };
    } catch (error) {
      const wantsConstant = error instanceof FormatError && /constant|known when the graph/.test(error.message);
      if (!wantsConstant || i === choices.length - 1) throw error;
    }
  }
  throw new Error('not reached');
}

function compare(result: TensorData, expected: TensorData): string | undefined {
  if (result.dtype !== expected.dtype || !sameShape(result.shape, expected.shape)) {
    return `${formatType(result)}, expected ${formatType(expected)}`;
  }
  const exact = dtypes[expected.dtype].kind !== 'float';
  const [got, wanted] = exact ? [result.data, expected.data] : [numbersOf(result), numbersOf(expected)];
  for (let i = 0; i < wanted.length; i++) {
    if (Object.is(got[i], wanted[i]) || got[i] === wanted[i]) continue;
    const limit = absoluteTolerance + relativeTolerance * Math.abs(Number(wanted[i]));
    if (exact || !(Math.abs(Number(got[i]) - Number(wanted[i])) <= limit)) return `element ${i} is ${got[i]}, expected ${wanted[i]}`;
  }
  return undefined;
}
