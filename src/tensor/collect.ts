/**
 * collect: what has to be computed for some values, and its signature: equal for expressions of the same operators wired
 * alike, whatever the data in their leaves and whatever their literals. The signature is the key of compiled programs.
 */
import { type Attr, type DType, dtypes, hashBytes, type Node, type TensorData, type Value } from '../graph/index.ts';
import { isLiteral, resolve, storedIn } from './cells.ts';

export interface Pending {
  readonly key: string;
  /** The values asked for, resolved; none is known yet. */
  readonly roots: readonly Value[];
  /** Nodes to run, every node after those it reads. Their inputs may be cells: `resolve` says what those stand for. */
  readonly order: readonly Node[];
  /** Known values that are read, in the order of the signature. */
  readonly leaves: readonly Value[];
  /** Constants that are numbers of the user's. */
  readonly literals: readonly Node[];
  readonly has: (node: Node) => boolean;
}

// Marks in the signature that no node number is.
const left = -1;
const leaf = -2;
const number = -3;
const made = -4;

/** @param roots resolved values that are not known */
export function collect(roots: readonly Value[]): Pending {
  const words = new Words();
  const numbers = new Map<Node, number>();
  const leafNumbers = new Map<Value, number>();
  const order: Node[] = [];
  const leaves: Value[] = [];
  const literals: Node[] = [];
  const stack: Node[] = [];
  const places: number[] = [];
  const visit = (node: Node): void => {
    if (numbers.has(node)) return;
    numbers.set(node, made);
    stack.push(node);
    places.push(0);
  };
  const finish = (node: Node): void => {
    numbers.set(node, order.length);
    order.push(node);
    if (isLiteral(node)) {
      literals.push(node);
      words.push(number);
      words.push(dtypeNumbers[node.outputs[0].dtype]);
      return;
    }
    words.push(wordOf(node.op));
    words.push(node.inputs.length);
    for (const input of node.inputs) {
      if (!input) {
        words.push(left);
        continue;
      }
      const value = resolve(input);
      const at = leafNumbers.get(value);
      if (at !== undefined) {
        words.push(leaf);
        words.push(at);
      } else {
        words.push(numbers.get(value.node)!);
        words.push(value.index);
      }
    }
    for (const name in node.attrs) {
      words.push(wordOf(name));
      words.attr(node.attrs[name]);
    }
    words.push(left);
  };
  for (const root of roots) {
    visit(root.node);
    while (stack.length > 0) {
      const top = stack.length - 1;
      const { inputs } = stack[top];
      if (places[top] === inputs.length) {
        finish(stack.pop()!);
        places.pop();
        continue;
      }
      const input = inputs[places[top]++];
      if (!input) continue;
      const value = resolve(input);
      const data = storedIn(value);
      if (!data) visit(value.node);
      else if (!leafNumbers.has(value)) {
        leafNumbers.set(value, leaves.length);
        leaves.push(value);
        words.push(leaf);
        words.type(data);
      }
    }
  }
  words.push(left);
  for (const root of roots) {
    words.push(numbers.get(root.node)!);
    words.push(root.index);
  }
  return { key: words.digest(), roots, order, leaves, literals, has: (node) => numbers.has(node) };
}

const dtypeNumbers = Object.fromEntries(Object.keys(dtypes).map((dtype, i) => [dtype, i])) as Record<DType, number>;

/** Operators, names and options, numbered as they come: there are some hundreds. */
const texts = new Map<string, number>();
function wordOf(text: string): number {
  let word = texts.get(text);
  if (word === undefined) texts.set(text, (word = texts.size));
  return word;
}

const float = new Float64Array(1);
const floatWords = new Int32Array(float.buffer);
const kinds = { number: 1, string: 2, boolean: 3, list: 4, tensor: 5 } as const;

/** Used again by the next list: there is one at a time. */
let room = new Int32Array(4096);

/** A list of words in which no two different expressions are the same: what has a length has it in front. */
class Words {
  #words = room;
  #length = 0;

  push(word: number): void {
    if (this.#length === this.#words.length) {
      const larger = new Int32Array(this.#length * 2);
      larger.set(this.#words);
      this.#words = room = larger;
    }
    this.#words[this.#length++] = word;
  }

  type({ dtype, shape }: { readonly dtype: DType; readonly shape: readonly number[] }): void {
    this.push(dtypeNumbers[dtype]);
    this.push(shape.length);
    for (let i = 0; i < shape.length; i++) this.push(shape[i]);
  }

  attr(attr: Attr): void {
    if (typeof attr === 'number') {
      float[0] = attr;
      this.push(kinds.number);
      this.push(floatWords[0]);
      this.push(floatWords[1]);
    } else if (typeof attr === 'string') {
      this.push(kinds.string);
      this.push(wordOf(attr));
    } else if (typeof attr === 'boolean') {
      this.push(kinds.boolean);
      this.push(Number(attr));
    } else if ('data' in attr) this.#tensor(attr);
    else {
      this.push(kinds.list);
      this.push(attr.length);
      for (let i = 0; i < attr.length; i++) this.attr(attr[i]);
    }
  }

  /** Constants go by content: those that rules make (axes, masks) are made anew for every expression. */
  #tensor(tensor: TensorData): void {
    const { buffer, byteOffset, byteLength } = tensor.data;
    this.push(kinds.tensor);
    this.type(tensor);
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    if (byteLength > 512) for (const word of hashBytes(bytes)) this.push(word);
    else for (let i = 0; i < byteLength; i += 4) this.push(bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24));
  }

  digest(): string {
    return String.fromCharCode(...new Uint16Array(Int32Array.from(hashBytes(this.#words.subarray(0, this.#length))).buffer));
  }
}
