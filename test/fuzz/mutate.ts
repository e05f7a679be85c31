/** Damage for files: of bytes, and of messages that stay well-formed and so get further into a reader. */
import { concatBytes, decode, encode, type Schema } from '../../src/formats/protobuf.ts';
import type { Random } from './random.ts';

const part = (bytes: Uint8Array, { below }: Random, longest = 64): Uint8Array => {
  const start = below(bytes.length);
  return bytes.subarray(start, start + 1 + below(longest));
};

/** Lengths and numbers that readers trip over, as varints, fixed-width and text. */
const extremes = [
  [0], [1], [0x7f], [0x80], [0xff], [0xff, 0x7f], [0xff, 0xff, 0xff, 0xff, 0x0f], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0, 0, 0, 0x80], [0xff, 0xff, 0xff, 0x7f], [0, 0, 0, 0, 0, 0, 0, 1], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [...'-1'].map((c) => c.charCodeAt(0)), [...'99999999999'].map((c) => c.charCodeAt(0)), [...'1e309'].map((c) => c.charCodeAt(0)),
].map((bytes) => Uint8Array.from(bytes));

type Mutation = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array;

const around = (bytes: Uint8Array, random: Random, put: Uint8Array, drop: number): Uint8Array => {
  const at = random.below(bytes.length + 1);
  return concatBytes([bytes.subarray(0, at), put, bytes.subarray(at + drop)]);
};

const mutations: readonly Mutation[] = [
  function flipBits(bytes, { below }) {
    const flipped = bytes.slice();
    for (let count = 1 + below(8); count > 0; count--) flipped[below(bytes.length)] ^= 1 << below(8);
    return flipped;
  },
  function truncate(bytes, { below }) {
    return bytes.slice(0, below(bytes.length));
  },
  function splice(bytes, random, other) {
    return around(bytes, random, part(other, random), random.below(64));
  },
  function repeat(bytes, random) {
    return around(bytes, random, part(bytes, random, 512), 0);
  },
  function remove(bytes, random) {
    return around(bytes, random, new Uint8Array(0), 1 + random.below(32));
  },
  function inflate(bytes, random) {
    const put = random.pick(extremes);
    return around(bytes, random, put, random.pick([1, put.length]));
  },
];

/** The bytes with one to three kinds of damage; `other` lends pieces. */
export function mutateBytes(bytes: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  let current = bytes;
  for (let rounds = 1 + random.below(3); rounds > 0 && current.length > 0; rounds--) {
    current = random.pick(mutations)(current, random, other.length > 0 ? other : bytes);
  }
  return current;
}

const numbers = [0, 1, -1, 2, 3, 7, 64, 255, 65536, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 40, 2 ** 53, -(2 ** 62), NaN, Infinity, 1e-30];

/** A protobuf file with fields of one message changed, lost, repeated or exchanged; still well-formed. */
export function mutateMessage<S extends Schema>(schema: S, kind: keyof S & string, bytes: Uint8Array, random: Random): Uint8Array {
  const message = decode(schema, kind, bytes) as Record<string, unknown>;
  mutateFields(message, random);
  try {
    return concatBytes(encode(schema, kind, message as never));
  } catch {
    // A number that its field cannot hold.
    return bytes;
  }
}

/** JSON text with values changed, lost, repeated or exchanged; still JSON. */
export function mutateJson(text: string, random: Random): string {
  const value = JSON.parse(text) as Record<string, unknown>;
  mutateFields(value, random);
  return JSON.stringify(value);
}

function mutateFields(message: Record<string, unknown>, random: Random): void {
  const slots: { holder: Record<string, unknown>; key: string }[] = [];
  const texts: string[] = ['', 'x'];
  const visit = (holder: Record<string, unknown>) => {
    for (const [key, value] of Object.entries(holder)) {
      if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
      slots.push({ holder, key });
      const inner = Array.isArray(value) ? (holder[key] = [...value]) : [value];
      for (const item of inner as unknown[]) {
        if (typeof item === 'string') texts.push(item);
        else if (typeof item === 'object' && item !== null && !ArrayBuffer.isView(item)) visit(item as Record<string, unknown>);
      }
    }
  };
  visit(message);
  for (let count = 1 + random.below(3); count > 0; count--) {
    const { holder, key } = random.pick(slots);
    holder[key] = changed(holder[key], random, texts);
  }
}

function changed(value: unknown, random: Random, texts: readonly string[]): unknown {
  if (typeof value === 'string') return random.pick(texts);
  if (typeof value === 'number') return random.below(2) === 0 ? value + random.pick([-1, 1]) : random.pick(numbers);
  if (value instanceof Uint8Array) return value.length === 0 ? Uint8Array.of(1) : random.below(2) === 0 ? value.slice(1) : flipped(value, random);
  if (value instanceof BigInt64Array) {
    const copy = value.slice();
    if (copy.length > 0) copy[random.below(copy.length)] = BigInt(Math.trunc(random.pick(numbers.filter(Number.isFinite))));
    return copy;
  }
  if (ArrayBuffer.isView(value)) return (value as Float32Array).slice(random.below(2));
  if (Array.isArray(value) && value.length > 0) {
    const copy = [...value];
    const at = random.below(copy.length);
    const action = random.below(4);
    if (action === 0) copy.splice(at, 1);
    else if (action === 1) copy.push(copy[at]);
    else if (action === 2) copy.reverse();
    else if (typeof copy[at] !== 'object') copy[at] = changed(copy[at], random, texts);
    return copy;
  }
  return random.below(2) === 0 ? undefined : value;
}

/** Tensor data with one of its eight-byte words overwritten: shapes and axes are such words. */
function flipped(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = bytes.slice();
  const word = BigInt64Array.of(BigInt(Math.trunc(random.pick(numbers.filter(Number.isFinite)))));
  copy.set(new Uint8Array(word.buffer).subarray(0, Math.min(8, bytes.length)), 8 * random.below(Math.max(1, bytes.length >> 3)));
  return copy;
}
