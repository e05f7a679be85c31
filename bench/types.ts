/** The shapes of data that the bench's files hand to each other; types alone. */

export interface TensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A model as all contestants get it: an ONNX file of fixed shapes, all of it float32. */
export interface ModelFile {
  readonly file: string;
  readonly inputs: readonly TensorSpec[];
  /** Inputs are spread evenly from -scale to scale. */
  readonly scale: number;
  /** Floating-point operations of a run, where they are known. */
  readonly flops?: number;
  /** What is trained, in place of a model that is run; `file` then holds its first values. */
  readonly training?: TrainingFile;
}

export interface Training {
  /** A model of training.mjs and of pytorch/models.py. */
  readonly model: string;
  readonly optimizer: 'adam' | 'momentum';
  readonly lr: number;
  /** Whether inputs are images, which may be arranged in memory in two ways. */
  readonly images: boolean;
  /** Steps whose losses are compared, and how far they may be apart. */
  readonly losses: number;
  readonly tolerance: number;
}

export interface TrainingFile extends Training {
  /** safetensors of parameters and buffers. */
  readonly weights: string;
  /** safetensors of `inputs` and `targets`, each a list of batches. */
  readonly data: string;
}

export interface Work {
  readonly part: Part;
  readonly title: string;
  /** Batch sizes that are measured; the first where one is enough. */
  readonly batches: readonly number[];
  /** A single operation, not a network: of interest is its speed alone, and it has no batch. */
  readonly isKernel?: boolean;
  /** Whether the step that is not compiled is measured as well. */
  readonly isRetraced?: boolean;
  /** What a second is full of, in the column of rates. */
  readonly rate: { readonly unit: string; of(batch: number): number };
  readonly scale: number;
  readonly flops?: number;
  /** Part of `--seconds`, and of the length of a round, that this work needs for steady medians. */
  readonly share: number;
  /** Runs after which the peak of memory is read. */
  readonly memoryRuns?: number;
  readonly training?: Training & { data(batch: number): { readonly inputs: import('../dist/index.js').TensorData; readonly targets: import('../dist/index.js').TensorData } };
  /** Makes the graph, by Whetstone's public API; what is trained has none. */
  graph?(batch: number): Promise<import('../dist/index.js').Graph>;
}

/** What docs/performance.md has a generated part for. */
export type Part = 'inference' | 'training' | 'roofline';

export interface Entry {
  /** A file of backends/. */
  readonly backend: string;
  readonly isa?: string;
  readonly threads: number;
  /** A major version of Node that the process is run by; ours where it does not say. */
  readonly node?: string;
}

export interface OpenRequest extends Entry {
  readonly model: ModelFile;
  /** Whether reading the file is part of what is timed. */
  readonly from: 'file' | 'memory';
  /** How long a peer may try each of its settings to find its best; 0: it takes its default. */
  readonly tuneMs: number;
}

export interface Opened {
  /** Loading the library's code. */
  readonly importMs: number;
  /** From the file, or its bytes, to ready to run. */
  readonly openMs: number;
  readonly firstRunMs: number;
  readonly note: string;
}

export interface RoundRequest {
  readonly ms: number;
  readonly minIterations: number;
}

export interface Round {
  readonly times: readonly number[];
  /** False where the process was still computing a second after its round, so that it disturbs the others. */
  readonly rested: boolean;
}

export type Outputs = Readonly<Record<string, ArrayLike<number>>>;

/** What a backend makes of a model. */
export interface Session {
  /** One iteration as a user would call it: tensors in, tensors out. */
  run(): Outputs | Promise<Outputs>;
  /** Instead of the outputs of `run`: what is compared where a run changes what the next one gives. */
  readonly outputs?: Outputs;
  /** Instead of timing `run`: backends that know the time of an iteration by other means. */
  round?(request: RoundRequest): number[];
  readonly note?: string;
}

export interface Backend {
  open(request: {
    readonly file: string;
    readonly bytes: Uint8Array | undefined;
    readonly inputs: Readonly<Record<string, { shape: readonly number[]; data: Float32Array }>>;
    readonly model: ModelFile;
    readonly isa: string | undefined;
    readonly threads: number;
  }): Promise<Session>;
}

export interface Bar {
  readonly atLeast?: number;
  readonly atMost?: number;
  /** Below what is asked, but better than being below this. */
  readonly floor?: number;
}

export interface Side {
  readonly median: number;
  readonly min: number;
  readonly count: number;
}

export type Verdict = 'met' | 'short' | 'missed' | 'wrong' | 'not run' | '';

export interface Row {
  readonly part: Part;
  readonly section: string;
  readonly work: string;
  readonly isa: string;
  readonly threads: number;
  /** The version of the Node that both sides ran under, where it is not the bench's own. */
  readonly node: string;
  readonly peer: string;
  readonly unit: 'ms' | 'MB' | 'kernels';
  readonly ours?: Side;
  readonly theirs?: Side;
  /** Work in a second, ours and theirs. */
  readonly rate?: { readonly unit: string; readonly ours: number; readonly theirs: number };
  /** Median of the rounds' ratios, and their quartiles: how many times as fast (or as much memory) as the peer. */
  readonly ratio?: { readonly median: number; readonly low: number; readonly high: number };
  /** Largest difference of the outputs, as a part of the largest output. */
  readonly difference?: number;
  readonly bar?: Bar;
  readonly verdict: Verdict;
  readonly notes: readonly string[];
  /** Medians round by round, for plots. */
  readonly rounds?: { readonly ours: readonly number[]; readonly theirs: readonly number[] };
}

export interface Comparison {
  readonly section: string;
  readonly ours: Entry;
  readonly theirs: Entry;
  readonly peer: string;
  readonly bar?: Bar;
  /** What sets our side apart from others of the work. */
  readonly label?: string;
}

/** Who meets whom, on what. */
export interface Contest {
  /** `speed`: kept alive, alternating. `load` and `memory`: a fresh process each time. `once`: kernels compiled against different ones. */
  readonly kind: 'speed' | 'load' | 'memory' | 'once';
  readonly work: string;
  readonly batch: number;
  readonly comparisons: readonly Comparison[];
  /** Why it cannot be held. */
  readonly refusal?: string;
}

export interface Options {
  readonly parts: readonly Part[];
  readonly kinds: readonly Contest['kind'][];
  readonly work: readonly string[];
  readonly threads: readonly number[];
  readonly batch: readonly number[];
  readonly isa: readonly string[];
  /** Other Nodes that WebAssembly is run under. */
  readonly node: readonly string[];
  readonly seconds: number;
  readonly json?: string;
  /** The page whose generated parts are rewritten. */
  readonly write?: string;
  readonly quick: boolean;
  readonly build: boolean;
  /** Rounds and repeats of the chosen thoroughness. */
  readonly pace: Pace;
}

export interface Pace {
  readonly roundMs: number;
  readonly minRounds: number;
  readonly minIterations: number;
  readonly warmMs: number;
  readonly tuneMs: number;
  readonly loads: number;
  readonly memoryRuns: number;
  readonly memoryRepeats: number;
}

export interface Survey {
  readonly version: string;
  readonly cores: { readonly logical: number; readonly physical: number; readonly quota?: number; readonly usable: number };
  readonly isas: readonly { readonly isa: string; readonly usable: boolean; readonly reason: string }[];
}

export interface Machine {
  readonly cpu: string;
  readonly cores: string;
  readonly isas: string;
  readonly memory: string;
  readonly system: string;
  readonly node: string;
  readonly commit: string;
  readonly peers: string;
  readonly idle: string;
}

/** A step of a run. */
export interface Layer {
  readonly op: string;
  readonly name: string;
  readonly shapes: string;
  readonly layout: string;
  readonly epilogue: string;
  readonly threads: number;
  readonly ms: number;
  /** What layers of its sort are called together. */
  readonly kind: string;
  /** 0 where they are not what takes the time. */
  readonly flops: number;
  /** Of operands and result, each once. */
  readonly bytes: number;
}

/** What one core can do. */
export interface Roof {
  readonly gflops: number;
  /** From the smallest memory to the largest. */
  readonly bandwidths: readonly { readonly bytes: number; readonly gbs: number }[];
}

/** The steps of a work beside the roof that was measured with them. */
export interface Roofline {
  readonly work: string;
  readonly isa: string;
  readonly title: string;
  readonly roof: Roof;
  readonly layers: readonly Layer[];
}

export interface Report {
  readonly part: Part;
  readonly date: string;
  readonly command: string;
  readonly machine: Machine;
  readonly seconds: number;
  readonly warnings: readonly string[];
  readonly rows: readonly Row[];
  readonly rooflines: readonly Roofline[];
}
