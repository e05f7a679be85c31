/** Runs `whet` in this process, with what it writes caught; and a tiny model for it to work on. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { runWhet } from '../../src/cli/program.ts';
import { makeTerminal } from '../../src/cli/terminal.ts';
import { apply, constant, exportOnnx, fromNumbers, type Graph, input } from '../../src/index.ts';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function whet(...args: readonly string[]): Promise<Outcome> {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written) => ({ write: (text: string | Uint8Array) => ((written[name] += String(text)), true) });
  const code = await runWhet(args, makeTerminal(stream('stdout') as never, stream('stderr') as never));
  return { code, ...written };
}

export const temporaryFolder = (): { path: string; remove(): void } => {
  const path = mkdtempSync(join(tmpdir(), 'whet-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
};

/** Which of red, green and blue a picture of 8 x 8 has most of. */
export function colourGraph(batch = 1): Graph {
  const picture = input('picture', 'float32', [batch, 3, 8, 8]);
  const means = apply('Flatten', [apply('GlobalAveragePool', [picture])]);
  const scores = apply('Softmax', [apply('Mul', [means, constant(fromNumbers('float32', [], [4]))])]);
  return { name: 'colours', inputs: [{ name: 'picture', value: picture }], outputs: [{ name: 'scores', value: scores }] };
}

export const writeColourModel = (path: string): void => writeFileSync(path, exportOnnx(colourGraph()));

export const writePhoto = (path: string, background: string): Promise<unknown> =>
  sharp({ create: { width: 12, height: 10, channels: 3, background } }).png().toFile(path);
