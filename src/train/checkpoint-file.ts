/**
 * Checkpoints as bytes: a safetensors file, so that other tools read the parameters, whose metadata hold the rest as JSON and a
 * digest of every byte. A file that was torn or changed is an error, never another training.
 */
import { readSafetensors, writeSafetensors } from '../formats/index.ts';
import { hashBytes, type TensorData, tensorData } from '../graph/index.ts';
import { fromTensorData, realize, type Tensor } from '../tensor/index.ts';
import type { Checkpoint } from './checkpoint.ts';
import { TrainError } from './errors.ts';

const version = 1;
const digits = 32;
/** Metadata come first in the header and the digest first in them, so its place is known. */
const opening = '{"__metadata__":{"digest":"';
const digestAt = 8 + opening.length;

const parts = { model: 'model/', best: 'best/', optimizer: 'optimizer/', totals: 'totals/' } as const;

export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const { model, bestModel, optimizer, totals, random, ...rest } = checkpoint;
  const tensors = new Map<string, TensorData>();
  for (const [name, value] of model) tensors.set(parts.model + name, value);
  for (const [name, value] of bestModel ?? []) tensors.set(parts.best + name, value);
  totals.sums.forEach((sum, i) => tensors.set(`${parts.totals}${i}`, tensorData('float64', [sum.length], sum)));
  realize(...Object.values(optimizer.state).flatMap((state) => Object.values(state)));
  for (const [i, state] of Object.entries(optimizer.state)) {
    for (const [name, value] of Object.entries(state)) tensors.set(`${parts.optimizer}${i}/${name}`, value.toTensorData());
  }
  const { sums, ...sizes } = totals;
  const state = {
    ...rest,
    random: { seed: String(random.seed), counter: String(random.counter) },
    paramGroups: optimizer.paramGroups,
    totals: { ...sizes, sums: sums.length },
    hasBest: bestModel !== undefined,
  };
  const bytes = writeSafetensors(tensors, { digest: '0'.repeat(digits), whetstone: `checkpoint ${version}`, state: JSON.stringify(state, writeNumber) });
  bytes.set(new TextEncoder().encode(digestOf(bytes)), digestAt);
  return bytes;
}

/** @throws TrainError where the bytes are not those of a whole checkpoint; FormatError where they are no safetensors file */
export function decodeCheckpoint(bytes: Uint8Array, file?: string): Checkpoint {
  const where = file ?? 'checkpoint';
  const head = new TextDecoder().decode(new Uint8Array(bytes.subarray(8, digestAt)));
  if (head !== opening) throw new TrainError(where, { expected: 'a checkpoint of a training', got: bytes.length === 0 ? 'an empty file' : 'another file' });
  const zeroed = new Uint8Array(bytes);
  zeroed.fill('0'.charCodeAt(0), digestAt, digestAt + digits);
  const digest = new TextDecoder().decode(new Uint8Array(bytes.subarray(digestAt, digestAt + digits)));
  if (digest !== digestOf(zeroed)) throw new TrainError(where, { expected: 'a whole file', got: 'a torn or changed one', hint: 'its digest does not fit its bytes' });
  const { tensors, metadata } = readSafetensors(zeroed, { file });
  if (metadata.whetstone !== `checkpoint ${version}`) throw new TrainError(where, { expected: `checkpoint ${version}`, got: metadata.whetstone ?? 'another kind of file' });
  const { random, paramGroups, totals, hasBest, ...rest } = parseState(metadata.state, where, tensors.size);
  const within = (prefix: string): [string, TensorData][] => [...tensors].filter(([name]) => name.startsWith(prefix)).map(([name, value]) => [name.slice(prefix.length), value]);
  const state: Record<number, Record<string, Tensor>> = {};
  for (const [path, value] of within(parts.optimizer)) {
    const slash = path.indexOf('/');
    (state[Number(path.slice(0, slash))] ??= {})[path.slice(slash + 1)] = fromTensorData(value);
  }
  return {
    ...rest,
    model: new Map(within(parts.model)),
    bestModel: hasBest ? new Map(within(parts.best)) : undefined,
    optimizer: { state, paramGroups },
    random: { seed: BigInt(random.seed), counter: BigInt(random.counter) },
    totals: { ...totals, sums: Array.from({ length: totals.sums }, (_, i) => tensors.get(`${parts.totals}${i}`)?.data as Float64Array) },
  };
}

/** What is not in tensors, as it was written. */
interface State extends Omit<Checkpoint, 'model' | 'bestModel' | 'optimizer' | 'random' | 'totals'> {
  readonly random: { readonly seed: string; readonly counter: string };
  readonly paramGroups: Checkpoint['optimizer']['paramGroups'];
  readonly totals: Omit<Checkpoint['totals'], 'sums'> & { readonly sums: number };
  readonly hasBest: boolean;
}

/** A digest keeps damage out, not somebody who writes another file: what is counted and allocated by is looked at. */
function parseState(text: string | undefined, where: string, tensors: number): State {
  let state: State | undefined;
  try {
    state = JSON.parse(text ?? '', readNumber) as State;
  } catch {
    // As what follows says.
  }
  const isCount = (value: unknown, most = Number.MAX_SAFE_INTEGER): boolean => Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most;
  const isInteger = (value: unknown): boolean => typeof value === 'string' && /^-?\d{1,20}$/.test(value);
  const isWhole = state && [state.step, state.epoch, state.batch].every((value) => isCount(value)) && isCount(state.totals?.sums, tensors) && isInteger(state.random?.seed) && isInteger(state.random?.counter);
  if (!isWhole || !Array.isArray(state!.paramGroups) || !Array.isArray(state!.epochs) || !state!.stopping || !state!.run) throw new TrainError(where, { expected: "a training's state in the metadata", got: `${text}`.slice(0, 80) });
  return state!;
}

const digestOf = (bytes: Uint8Array): string => hashBytes(bytes).map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');

// Numbers that JSON has no word for.
const writeNumber = (_name: string, value: unknown): unknown => (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0)) ? { $number: Object.is(value, -0) ? '-0' : String(value) } : value);
const readNumber = (_name: string, value: unknown): unknown => (typeof value === 'object' && value !== null && '$number' in value ? Number(value.$number) : value);
