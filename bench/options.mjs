// @ts-check
/** The command line, checked: a wrong value is an error that says which are right. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { kinds } from './contests.mjs';
import { works } from './works.mjs';

export const help = `npm run bench -- [options]

Compares Whetstone with its peers in one run: each in a process of its own, taking turns. Prints tables; parts that are run in
full rewrite their part of docs/performance.md. All of it takes about 20 minutes.

  --inference      against onnxruntime-node and onnxruntime-web (about 13 minutes)
  --roofline       layer by layer against what a core can do (about 2 minutes)
  --training       against PyTorch (about 6 minutes); it is fetched from Debian on first need, 360 MB, into the cache folder,
                   unless WHET_BENCH_PYTHON names a Python that has it
  --work NAMES     only these works, comma-separated; a beginning of a name will do:
                   ${Object.keys(works).join(', ')}
  --kind LIST      only these kinds of contests: ${kinds.join(', ')}
  --threads LIST   threads to run with (default 1,2)
  --batch LIST     batch sizes, in place of each work's own
  --isa LIST       avx512, avx2 or wasm (default: the best native one, and wasm; native alone for training)
  --node LIST      other Nodes that WebAssembly is run under too: 26, from npm (default 26 where it is installed; none: none)
  --seconds S      measured time for each contestant of a row (default 3; some works take half)
  --json FILE      write everything as JSON too, round by round
  --write FILE     rewrite the generated parts of this file (default: docs/performance.md, after a full run only)
  --no-build       measure dist/ as it is
  --quick          a smoke test: small, short, and no number means anything
  --help           this text

Exit code: 0, also where a bar is missed; 1 where an output is wrong or something could not run; 2 for a wrong option.
`;

const isaNames = ['avx512', 'avx2', 'wasm'];
const nodeNames = ['26', 'none'];
const partNames = /** @type {const} */ (['inference', 'training', 'roofline']);

/** @type {import('./types.ts').Pace} */
const thorough = { roundMs: 500, minRounds: 3, minIterations: 1, warmMs: 500, tuneMs: 500, loads: 3, memoryRuns: 10, memoryRepeats: 2 };
/** @type {import('./types.ts').Pace} */
const quick = { roundMs: 50, minRounds: 2, minIterations: 1, warmMs: 0, tuneMs: 0, loads: 1, memoryRuns: 2, memoryRepeats: 1 };

export class UsageError extends Error {}

/** @param {readonly string[]} args @returns {import('./types.ts').Options | 'help'} @throws UsageError */
export function parseOptions(args) {
  const values = parse(args);
  if (values.help) return 'help';
  const isQuick = values.quick ?? false;
  const narrowed = ['work', 'kind', 'threads', 'batch', 'isa', 'node', 'seconds', 'quick'].some((name) => name in values);
  const parts = partNames.filter((part) => values[part]);
  const nodes = list(values.node ?? '26').map((name) => known('--node', name, nodeNames, (candidate) => candidate === name));
  return {
    // Layers are no kind of contest.
    parts: parts.length > 0 ? parts : partNames.filter((part) => !(values.kind && part === 'roofline')),
    kinds: values.kind === undefined ? kinds : kinds.filter((kind) => list(values.kind).map((name) => known('--kind', name, kinds, (candidate) => candidate === name)).includes(kind)),
    work: list(values.work).map((name) => known('--work', name, Object.keys(works), (candidate) => candidate.startsWith(name))),
    threads: numbers('--threads', values.threads ?? '1,2', 256),
    batch: values.batch === undefined ? [] : numbers('--batch', values.batch, 1024),
    isa: list(values.isa).map((name) => known('--isa', name, isaNames, (candidate) => candidate === name)),
    node: nodes.filter((name) => name !== 'none'),
    seconds: seconds(values.seconds ?? (isQuick ? '0.2' : '3')),
    json: values.json && fromCaller(values.json),
    write: values.write ? fromCaller(values.write) : narrowed ? undefined : fileURLToPath(new URL('../docs/performance.md', import.meta.url)),
    quick: isQuick,
    build: !values['no-build'],
    pace: isQuick ? quick : thorough,
  };
}

/** npm runs scripts in the folder of their package, and says where it was called. @param {string} path */
const fromCaller = (path) => resolve(process.env.INIT_CWD ?? process.cwd(), path);

/** @param {readonly string[]} args */
function parse(args) {
  const text = /** @type {const} */ ({ type: 'string' });
  const flag = /** @type {const} */ ({ type: 'boolean' });
  try {
    return parseArgs({
      args: [...args],
      options: {
        inference: flag,
        training: flag,
        roofline: flag,
        work: text,
        kind: text,
        threads: text,
        batch: text,
        isa: text,
        node: text,
        seconds: text,
        json: text,
        write: text,
        'no-build': flag,
        quick: flag,
        help: { ...flag, short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

const list = (/** @type {string | undefined} */ text) => (text ?? '').split(',').map((part) => part.trim()).filter(Boolean);

/** @param {string} option @param {string} name @param {readonly string[]} names @param {(candidate: string) => boolean} fits */
function known(option, name, names, fits) {
  if (names.some(fits)) return name;
  throw new UsageError(`${option}: expected some of ${names.join(', ')}, got '${name}'`);
}

/** @param {string} option @param {string} text @param {number} most */
function numbers(option, text, most) {
  const values = list(text).map((part) => (/^\d{1,6}$/.test(part) ? Number(part) : NaN));
  if (values.length === 0 || !values.every((value) => value >= 1 && value <= most)) {
    throw new UsageError(`${option}: expected whole numbers from 1 to ${most}, such as 1,2, got '${text}'`);
  }
  return [...new Set(values)];
}

/** @param {string} text */
function seconds(text) {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (value > 0 && value <= 3600) return value;
  throw new UsageError(`--seconds: expected a number up to 3600, got '${text}'`);
}
