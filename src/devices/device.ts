/** What a device offers: it says which operators it runs, and turns a graph into an Executable. All devices pass one case suite. */
import type { DType, Graph, TensorData, TensorType } from '../graph/index.ts';

/** The instruction sets and languages that devices generate code in; a device says in its `info` which one it took. */
export type IsaName = 'avx512' | 'avx2' | 'wasm';

/** How float32 convolutions and products may be computed. */
export type Precision = 'highest' | 'high';

export interface CompileOptions {
  /** Generate for this instruction set and no other. Default: the best that the machine runs. */
  readonly isa?: IsaName;
  /** Most threads a run may use. Default: the cores that the process may really use. */
  readonly threads?: number;
  /**
   * Inputs, by the name of the output (of the same type) that takes their place: a synchronous run leaves the result in the
   * array that was given for the input, and hands that over as the output. All else sees the old values to the end of the run.
   */
  readonly inPlace?: Readonly<Record<string, string>>;
  /**
   * `highest`: every convolution is a plain sum of products. `high`, the default: 3x3 convolutions may take Winograd's algorithm, where
   * that is faster; its error is about ten times as large, and still a few millionths of the output's scale (docs/winograd.md).
   */
  readonly precision?: Precision;
}

export interface RunOptions {
  /** Time each step; `profile()` has the records afterwards. Slower: steps then run one by one. */
  readonly profile?: boolean;
  /** Tensors, by output name and of exactly its type, that results are written into; others are made anew for each run. */
  readonly into?: Readonly<Record<string, TensorData>>;
}

/** A name and a type: one input or output of an Executable. */
export interface TensorSpec extends TensorType {
  readonly name: string;
}

/** How one step of a profiled run went; the same records as WHET_VERBOSE prints. */
export interface ProfileRecord {
  readonly op: string;
  /** The node's name in the model, where it has one. */
  readonly name: string;
  /** Such as `1x64x56x56 64x64x3x3 -> 1x64x56x56`. */
  readonly shapes: string;
  readonly layout: string;
  /** What was fused into the store, such as `Add+Relu`. */
  readonly epilogue: string;
  readonly isa: string;
  readonly threads: number;
  readonly ms: number;
}

export interface ExecutableInfo {
  readonly isa: string;
  readonly threads: number;
  /** Kernel calls of one run. */
  readonly steps: number;
  /** Different kernels that were generated. */
  readonly kernels: number;
  /** Memory of all that lives only during a run. */
  readonly arenaBytes: number;
  /** Constants, packed as the kernels read them. */
  readonly constantBytes: number;
  /** Planning, generating and loading code, packing constants. */
  readonly compileMs: number;
}

/** A graph that can run, with memory of its own. */
export interface Executable {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly info: ExecutableInfo;
  /**
   * Takes one tensor for each input, of exactly its type; the results belong to the caller.
   * @throws Error where an input is missing or of another type, or while an asynchronous run is in flight.
   */
  run(inputs: Readonly<Record<string, TensorData>>, options?: RunOptions): Record<string, TensorData>;
  /** As `run`, while the event loop stays free. Inputs are read before it returns. Runs of one Executable follow each other. */
  runAsync(inputs: Readonly<Record<string, TensorData>>, options?: RunOptions): Promise<Record<string, TensorData>>;
  /** Records of the latest profiled run, in the order of its steps; empty before the first. */
  profile(): readonly ProfileRecord[];
  /** Gives its memory back now rather than when it is collected. @throws Error while an asynchronous run is in flight. */
  dispose(): void;
}

export interface Device {
  readonly name: string;
  /** Whether the device runs an operator on this element type itself; what it does not, is decomposed. */
  supports(op: string, dtype: DType): boolean;
  /** @throws Error naming all operators that it neither runs nor can decompose. */
  compile(graph: Graph, options?: CompileOptions): Executable;
  /** Zeros, in an array that the device's programs reach: reading and writing it costs them no copy. Collected like any other. */
  allocate(type: TensorType, options?: Pick<CompileOptions, 'isa'>): TensorData;
}
