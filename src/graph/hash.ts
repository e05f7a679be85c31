/** hashGraph: equal for graphs of the same nodes wired alike, whatever the nodes are called; different for all others. */
import { type Attr, type Graph, type Node, topologicalOrder } from './node.ts';
import type { TypedArray } from './dtype.ts';
import type { TensorData, TensorType } from './tensor-data.ts';

export interface HashOptions {
  /**
   * 'content' (the default): constants are equal where their bytes are. 'identity': where they are one array in memory,
   * which costs nothing however large they are, but holds within this process only; small ones go by content still.
   */
  readonly constants?: 'content' | 'identity';
}

/** Tensors of so few elements (axes, shapes, scalars) are made anew whenever a graph is built: their identity says nothing. */
export const smallTensor = 64;

/**
 * A graph's hash: operators, attributes, wiring, types, constants, and the names and order of inputs and outputs. Not part
 * of it: names of nodes and of the graph. 32 hexadecimal digits.
 */
export function hashGraph(graph: Graph, { constants = 'content' }: HashOptions = {}): string {
  // The graph as a list of words in which no two different graphs are the same: every list and string has its length before it.
  const words: number[] = [];
  const numbers = new Map<Node, number>();
  const declared = new Map(graph.inputs.map(({ value }, position) => [value.node, position]));

  const putText = (text: string): void => {
    words.push(text.length);
    for (let i = 0; i < text.length; i++) words.push(text.charCodeAt(i));
  };
  const putNumber = (value: number): void => {
    float[0] = value;
    words.push(floatWords[0], floatWords[1]);
  };
  const putType = ({ dtype, shape }: TensorType): void => {
    putText(dtype);
    words.push(shape.length, ...shape);
  };
  const putTensor = (tensor: TensorData): void => {
    putType(tensor);
    if (constants === 'identity' && tensor.data.length > smallTensor) words.push(0, identityOf(tensor.data));
    else words.push(1, ...contentHash(tensor.data));
  };
  const putAttr = (attr: Attr): void => {
    words.push(attrKind(attr));
    if (typeof attr === 'number') putNumber(attr);
    else if (typeof attr === 'string') putText(attr);
    else if (typeof attr === 'boolean') words.push(Number(attr));
    else if (isTensor(attr)) putTensor(attr);
    else {
      words.push(attr.length);
      attr.forEach(putAttr);
    }
  };

  for (const node of topologicalOrder({ outputs: [...graph.inputs, ...graph.outputs] })) {
    numbers.set(node, numbers.size);
    putText(node.op);
    const position = declared.get(node);
    if (position === undefined) {
      const names = Object.keys(node.attrs).sort();
      words.push(names.length);
      for (const name of names) {
        putText(name);
        putAttr(node.attrs[name]);
      }
    } else words.push(-1, position);
    words.push(node.inputs.length);
    for (const value of node.inputs) {
      if (value) words.push(numbers.get(value.node)!, value.index);
      else words.push(-1);
    }
    words.push(node.outputs.length);
    node.outputs.forEach(putType);
  }
  for (const list of [graph.inputs, graph.outputs]) {
    words.push(list.length);
    for (const { name, value } of list) {
      putText(name);
      words.push(numbers.get(value.node)!, value.index);
    }
  }
  return hex(hashBytes(Int32Array.from(words)));
}

const float = new Float64Array(1);
const floatWords = new Int32Array(float.buffer);

const isTensor = (attr: Attr): attr is TensorData => typeof attr === 'object' && !Array.isArray(attr);

const attrKind = (attr: Attr): number => ['number', 'string', 'boolean', 'object'].indexOf(typeof attr) + (Array.isArray(attr) ? 1 : 0);

/** 128 bits as four words. */
export type Digest = readonly [number, number, number, number];

export const hex = (digest: readonly number[]): string => digest.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');

const contents = new WeakMap<TypedArray, Digest>();
const identities = new WeakMap<TypedArray, number>();
let identityCount = 0;

/** Of an array's bytes; computed once for each array, whose values must not change afterwards (as those of all constants). */
export function contentHash(data: TypedArray): Digest {
  let digest = contents.get(data);
  if (!digest) contents.set(data, (digest = hashBytes(data)));
  return digest;
}

function identityOf(data: TypedArray): number {
  let identity = identities.get(data);
  if (identity === undefined) identities.set(data, (identity = identityCount++));
  return identity;
}

/**
 * MurmurHash3's 128-bit form for 32-bit arithmetic (A. Appleby, 2011), here with the bytes past the last whole block padded
 * with zeros to one more: the length, which goes in at the end, tells padding from data.
 */
export function hashBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): Digest {
  // Four bytes at a time, which memory allows where the first is at a multiple of four.
  const aligned = byteOffset % 4 === 0;
  const whole = aligned ? byteLength >>> 4 : 0;
  const words = new Int32Array(buffer, aligned ? byteOffset : 0, whole * 4);
  let state: Digest = hashBlocks(words, [0, 0, 0, 0]);
  // What is left, or all that is not aligned, is copied out piece by piece.
  const piece = new Uint8Array(Math.min(1 << 16, Math.ceil((byteLength - whole * 16) / 16) * 16));
  for (let at = whole * 16; at < byteLength; at += piece.length) {
    const bytes = new Uint8Array(buffer, byteOffset + at, Math.min(piece.length, byteLength - at));
    const blocks = Math.ceil(bytes.length / 16);
    piece.fill(0, bytes.length, blocks * 16);
    piece.set(bytes);
    state = hashBlocks(new Int32Array(piece.buffer, 0, blocks * 4), state);
  }
  let [a, b, c, d] = state.map((word) => word ^ byteLength);
  a = (a + b + c + d) | 0;
  [b, c, d] = [b + a, c + a, d + a];
  [a, b, c, d] = [a, b, c, d].map(avalanche);
  a = (a + b + c + d) | 0;
  return [a, (b + a) | 0, (c + a) | 0, (d + a) | 0];
}

function hashBlocks(words: Int32Array, [a, b, c, d]: Digest): Digest {
  for (let i = 0; i < words.length; i += 4) {
    const ka = Math.imul(words[i], 0x239b961b);
    a ^= Math.imul((ka << 15) | (ka >>> 17), 0xab0e9789);
    a = (Math.imul(((a << 19) | (a >>> 13)) + b, 5) + 0x561ccd1b) | 0;
    const kb = Math.imul(words[i + 1], 0xab0e9789);
    b ^= Math.imul((kb << 16) | (kb >>> 16), 0x38b34ae5);
    b = (Math.imul(((b << 17) | (b >>> 15)) + c, 5) + 0x0bcaa747) | 0;
    const kc = Math.imul(words[i + 2], 0x38b34ae5);
    c ^= Math.imul((kc << 17) | (kc >>> 15), 0xa1e38b93);
    c = (Math.imul(((c << 15) | (c >>> 17)) + d, 5) + 0x96cd1c35) | 0;
    const kd = Math.imul(words[i + 3], 0xa1e38b93);
    d ^= Math.imul((kd << 18) | (kd >>> 14), 0x239b961b);
    d = (Math.imul(((d << 13) | (d >>> 19)) + a, 5) + 0x32ac3b17) | 0;
  }
  return [a, b, c, d];
}

/** Every bit of the word decides about every bit of the result. */
function avalanche(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return word ^ (word >>> 16);
}
