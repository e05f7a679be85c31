/**
 * Whether V8 pairs neighbouring 128-bit vectors into 256-bit ones, rightly and to effect. Its revectorisation is experimental: it is
 * used only where, in this process, every vector operation of the kernel language and a register tile give the same bits with it
 * as without, and the tile is much faster. Imports no Node module.
 */
import { type Elem, type Int, KernelBuilder, pairedWasm, type Vec } from '../codegen/index.ts';
import { compileWasm } from '../codegen/wasm/index.ts';

/** Where the test kernel finds its 4 KiB of input and leaves its results. */
const inputBytes = 4096;
const resultBytes = 8192;
const tileRows = 6;
const tileVectors = 4;

/** Stores, for each operation, what it makes of two neighbouring vectors. Returns the bytes written. */
function emitOperations(b: KernelBuilder, from: Int): number {
  let out = inputBytes;
  const store = (elem: Elem, pair: readonly Vec[], count?: number): void => {
    for (const vec of pair) {
      b.store(elem, b.at(from, out), vec, count);
      out += 16;
    }
  };
  const pairAt = (elem: Elem, offset: number): Vec[] => [0, 16].map((v) => b.load(elem, b.at(from, offset + v)));
  for (const elem of ['f32', 'f64'] as const) {
    const base = elem === 'f32' ? 0 : inputBytes / 2;
    const [x, y, z] = [0, 256, 512].map((offset) => pairAt(elem, base + offset));
    const one = b.load(elem, b.splatAt(from, base + 768));
    const each = (of: (v: 0 | 1) => Vec): void => store(elem, [of(0), of(1)]);
    for (const op of ['add', 'sub', 'mul', 'div', 'min', 'max'] as const) {
      each((v) => b[op](elem, x[v], y[v]));
      each((v) => b[op](elem, x[v], one));
    }
    for (const op of ['fma', 'fnma'] as const) each((v) => b[op](elem, x[v], one, b[op](elem, x[v], y[v], z[v])));
    for (const op of ['sqrt', 'floor', 'ceil', 'round', 'trunc'] as const) each((v) => b.unary(op, elem, x[v]));
    for (const op of ['and', 'or', 'xor', 'andNot'] as const) each((v) => b.bits(op, elem, x[v], y[v]));
    for (const op of ['reduceAdd', 'reduceMin', 'reduceMax'] as const) each((v) => b.reduce(op, elem, x[v]));
    for (const pred of ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const) each((v) => b.select(elem, b.compare(elem, pred, x[v], y[v]), z[v], x[v]));
    for (const op of ['maskAnd', 'maskOr'] as const) {
      each((v) => b.select(elem, b.maskLogic(op, b.compare(elem, 'lt', x[v], y[v]), b.maskNot(b.compare(elem, 'lt', y[v], z[v]))), y[v], b.splat(elem, 3)));
    }
    const int = elem === 'f32' ? 'i32' : 'i64';
    for (const op of ['shl', 'shr', ...(int === 'i32' ? ['sar' as const] : [])] as const) each((v) => b.shift(op, int, x[v], 5));
    for (const op of ['add', 'sub'] as const) each((v) => b[op](int, x[v], y[v]));
    each((v) => b.loadStrided(elem, b.at(from, base + 16 * v), 48));
    store(elem, [x[0], y[1]], 1);
    store(elem, [b.firstLanes(elem, x[0], 1), b.firstLanes(elem, x[1], 1)]);
  }
  const f32 = pairAt('f32', 0);
  store('i32', f32.map((x) => b.convert('toInt', x)));
  store('f32', f32.map((x) => b.convert('toFloat', x)));
  store('f64', f32.map((x) => b.convert('widen', x)));
  store('f32', pairAt('f64', inputBytes / 2).map((x) => b.convert('narrow', x)));
  return out;
}

/** A register tile over the input, `rounds` times as long, its sums scaled, shifted and bounded as layers do it. */
function emitTile(b: KernelBuilder, from: Int, to: number, rounds: number): void {
  const sums = Array.from({ length: tileRows * tileVectors }, () => b.variable('f32', 0));
  b.loop(rounds, () => {
    const at = b.move(from);
    b.loop(8, () => {
      const w = Array.from({ length: tileVectors }, (_, v) => b.load('f32', b.at(at, 1024 + 16 * v)));
      for (let r = 0; r < tileRows; r++) {
        const repeated = b.load('f32', b.splatAt(at, 64 * r));
        w.forEach((weight, v) => b.accumulate('f32', sums[r * tileVectors + v], repeated, weight));
      }
      b.advance(at, 64);
    });
  });
  for (let at = 0; at < sums.length; at += 2) {
    const finished = [0, 1].map((v) => {
      const scaled = b.mul('f32', sums[at + v], b.load('f32', b.at(from, 16 * v)));
      return b.max('f32', b.add('f32', scaled, b.load('f32', b.at(from, 64 + 16 * v))), b.splat('f32', 0));
    });
    finished.forEach((vec, v) => b.store('f32', b.at(from, to + 16 * (at + v)), vec));
  }
}

/**
 * The test as a module: `k0` tests operations, `k1` the tile, for one round, `k2` for many. V8 keeps modules by their bytes: another
 * `salt` makes another module.
 */
export function pairsModule(salt: number): Uint8Array<ArrayBuffer> {
  const kernel = (name: string, body: (b: KernelBuilder, from: Int) => void) => {
    const b = new KernelBuilder(name, pairedWasm);
    const from = b.param();
    b.istore(b.at(from, resultBytes + salt), b.int(salt), 8);
    body(b, from);
    return b.finish({ entry: true });
  };
  return compileWasm([
    kernel('operations', (b, from) => void emitOperations(b, from)),
    kernel('tile', (b, from) => emitTile(b, from, inputBytes, 1)),
    kernel('tiles', (b, from) => emitTile(b, from, inputBytes, 2000)),
  ]);
}

/** Ordinary numbers in both halves, as float32 and as float64, and between them what arithmetic treats apart. */
function fill(memory: WebAssembly.Memory): void {
  const floats = new Float32Array(memory.buffer, 0, inputBytes / 8);
  const doubles = new Float64Array(memory.buffer, inputBytes / 2, inputBytes / 16);
  const special = [0, -0, Infinity, -Infinity, 1e-40, -2.5, 0.5, 1e9];
  for (const values of [floats, doubles]) {
    for (let i = 0; i < values.length; i++) values[i] = i % 4 === 3 ? special[(i >> 2) % special.length] : ((i * 7919) % 1009) / 251 - 2;
  }
  for (let i = 0; i < 128; i++) floats[256 + i] = ((i * 31) % 37) / 16 - 1; // the tile's weights
}

/** What operations and tile make of the input, and the time of many tiles. */
export function tryModule(module: WebAssembly.Module): { readonly results: Uint32Array; readonly milliseconds: number } {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  fill(memory);
  const { k0, k1, k2 } = new WebAssembly.Instance(module, { env: { memory } }).exports as Record<string, (from: number) => void>;
  const words = (resultBytes - inputBytes) / 4;
  const results = new Uint32Array(2 * words);
  [k0, k1].forEach((kernel, i) => {
    kernel(0);
    results.set(new Uint32Array(memory.buffer, inputBytes, words), i * words);
  });
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now();
    k2(0);
    return performance.now() - start;
  });
  return { results, milliseconds: Math.min(...times) };
}

/** Whether a module compiled with revectorisation computes as one without, and its tile much faster. */
export function provesPairs(plain: WebAssembly.Module, paired: WebAssembly.Module): boolean {
  const [before, after] = [plain, paired].map(tryModule);
  return before.results.every((word, i) => word === after.results[i]) && before.milliseconds > 1.4 * after.milliseconds;
}
