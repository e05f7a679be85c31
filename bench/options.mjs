// @ts-check
/** The command line, checked: a wrong value is an error that says which are right. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { contestNames } from './contests.mjs';

export const help = `npm run bench -- [options]

Compares Whetstone with onnxruntime-node and onnxruntime-web in one run: each in a process of its own, taking
turns. Prints a table; a full run rewrites the generated part of docs/performance.md. Takes about 6 minutes.

  --only NAMES     only these contests, comma-separated; a beginning of a name will do:
                   ${contestNames.join(', ')}
  --threads LIST   threads to run with (default 1,2)
  --batch LIST     batch sizes of ResNet-50 (default 1,8)
  --isa LIST       avx512, avx2 or wasm (default: the best native one, and wasm)
  --seconds S      measured time for each contestant of a row (default 3; gemm takes half)
  --json FILE      write everything as JSON too, round by round
  --write FILE     rewrite the generated part of this file (default: docs/performance.md, after a full run only)
  --no-build       measure dist/ as it is
  --quick          a smoke test: small, short, and no number means anything
  --help           this text

Exit code: 0, also where a bar is missed; 1 where an output is wrong or something could not run; 2 for a wrong option.
`;

const isaNames = ['avx512', 'avx2', 'wasm'];

/** @type {import('./types.ts').Pace} */
const thorough = { roundMs: 500, minRounds: 3, minIterations: 3, warmMs: 500, loads: 4, memoryRuns: 20, memoryRepeats: 3 };
/** @type {import('./types.ts').Pace} */
const quick = { roundMs: 50, minRounds: 2, minIterations: 1, warmMs: 0, loads: 1, memoryRuns: 2, memoryRepeats: 1 };

export class UsageError extends Error {}

/** @param {readonly string[]} args @returns {import('./types.ts').Options | 'help'} @throws UsageError */
export function parseOptions(args) {
  const values = parse(args);
  if (values.help) return 'help';
  const isQuick = values.quick ?? false;
  const narrowed = ['only', 'threads', 'batch', 'isa', 'seconds', 'quick'].some((name) => name in values);
  return {
    only: list(values.only).map((name) => known('--only', name, contestNames, (candidate) => candidate.startsWith(name))),
    threads: numbers('--threads', values.threads ?? '1,2', 256),
    batch: numbers('--batch', values.batch ?? (isQuick ? '1' : '1,8'), 1024),
    isa: list(values.isa).map((name) => known('--isa', name, isaNames, (candidate) => candidate === name)),
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
      options: { only: text, threads: text, batch: text, isa: text, seconds: text, json: text, write: text, 'no-build': flag, quick: flag, help: { ...flag, short: 'h' } },
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
