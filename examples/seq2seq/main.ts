/** The sequence-to-sequence experiment as a command. `npx tsc -p examples/seq2seq`, then `node examples/seq2seq/dist/examples/seq2seq/main.js --help`. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Tensor } from '../../src/tensor/index.ts';
import { configs } from './configs.ts';
import { readPairs, writeFiles } from './data.ts';
import { makeTrainer, train, type Trainer } from './train.ts';

const help = `Learns to move a run of zeros right by its own length.

  --config NAME   ${Object.entries(configs).map(([name, { summary }]) => `${name.padEnd(12)}${summary}`).join('\n                  ')}
                  (default: quick)
  --epochs N      instead of the configuration's
  --seed N        of data, first weights, order and dropout (default: 0)
  --data FOLDER   where the CSV files are written and read (default: a folder in ${tmpdir()})
  --help          this text`;

const wholeNumber = (name: string, text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name}: expected a whole number from 0 on, got ${text}`);
  return Number(text);
};
const percent = (part: number): string => `${(100 * part).toFixed(1)}%`;

function printSamples({ respond }: Trainer, [input, target]: readonly [Tensor, Tensor]): void {
  const [calls, truths, answers] = [input, target, respond(input)].map((tensor) => tensor.tolist() as number[][]);
  calls.forEach((call, i) => {
    const right = truths[i].filter((digit, j) => digit === answers[i][j]).length;
    console.log(`\nCall ${call.join('')}\nTrue ${truths[i].join('')}\nResp ${answers[i].join('')}\nAccuracy ${percent(right / truths[i].length)}`);
  });
}

async function main(): Promise<void> {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({ options: { config: { ...string, default: 'quick' }, epochs: string, seed: { ...string, default: '0' }, data: string, help: { type: 'boolean' } } });
  if (values.help) return console.log(help);
  if (!Object.hasOwn(configs, values.config)) throw new Error(`--config: expected one of ${Object.keys(configs).join(', ')}, got ${values.config}`);
  const config = configs[values.config];
  const seed = wholeNumber('seed', values.seed);
  const epochs = values.epochs === undefined ? config.epochs : wholeNumber('epochs', values.epochs);

  const paths = await writeFiles(values.data ?? join(tmpdir(), `whet-seq2seq-${values.config}-${seed}`), config, seed);
  const data = { train: await readPairs(paths.train), valid: await readPairs(paths.valid) };
  console.log(`${values.config}: ${config.summary}; ${data.train.length} pairs to train, ${data.valid.length} to validate`);
  const trainer = makeTrainer(config, seed);
  for (const { epoch, loss, score, sequencesPerSecond } of train(trainer, data, { batch: config.batch, epochs, seed })) {
    console.log(`epoch ${epoch}/${epochs}  loss ${loss.toFixed(4)}  digits right ${percent(score.digits)}  sequences right ${percent(score.sequences)}  ${sequencesPerSecond.toFixed(0)} sequences/s`);
  }
  printSamples(trainer, data.valid.getBatch([0, 1, 2, 3, 4]) as readonly [Tensor, Tensor]);
}

await main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
