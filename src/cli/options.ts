/** What verbs' options and arguments have in common: how each text is read, and what a wrong one is answered. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Terminal } from './terminal.ts';

/** What every verb takes. */
export interface CommonOptions {
  readonly json?: boolean;
}

/** A new verb, with what all of them share: --json, --debug and an example in its help. */
export function addVerb(parent: Command, usage: string, summary: string, examples: readonly string[]): Command {
  return parent
    .command(usage)
    .summary(summary)
    .description(summary)
    .option('--json', 'print JSON and nothing else on stdout')
    .option('--debug', 'print the stack of an error')
    .addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`);
}

export const printJson = (terminal: Terminal, value: unknown): void => terminal.print(JSON.stringify(value, null, 2));

/** A whole number from `least` on. */
export const wholeNumber = (least: number, most = 2 ** 31 - 1) => (text: string): number => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  return value;
};

/** A number above 0. */
export function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

/** Three numbers, one a channel, or one for all. */
export function perChannel(text: string): [number, number, number] {
  const values = text.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)));
  const three = values.length === 1 ? [values[0], values[0], values[0]] : values;
  if (three.length !== 3 || !three.every(Number.isFinite)) throw new InvalidArgumentError('It must be three numbers such as 0.485,0.456,0.406.');
  return three as [number, number, number];
}

/** `name=1x3x224x224`, or only the sizes where the model has one input; kept under '' then. May be given again. */
export function shapeOf(text: string, before: Readonly<Record<string, readonly number[]>> = {}): Record<string, readonly number[]> {
  const [, name = '', sizes] = /^(?:(.*)=)?([^=]*)$/.exec(text) ?? [];
  const shape = sizes === '' ? [] : (sizes ?? '?').split(/[x,]/).map((size) => (/^\d+$/.test(size) ? Number(size) : NaN));
  if (!shape.every((size) => Number.isSafeInteger(size))) throw new InvalidArgumentError('It must be as in input=1x3x224x224.');
  return { ...before, [name]: shape };
}

export const isaOption = (): Option =>
  new Option('--isa <name>', 'generate code for this instruction set').choices(['avx512', 'avx2', 'wasm']);
export const threadsOption = (): Option =>
  new Option('--threads <n>', 'most threads to use (default: the cores this process may use)').argParser(wholeNumber(1, 256));
export const precisionOption = (): Option =>
  new Option('--precision <name>', 'high: 3x3 convolutions may take Winograd (default); highest: none does').choices(['high', 'highest']);
export const batchOption = (): Option => new Option('--batch <n>', 'samples in one run').argParser(wholeNumber(1, 65_536));
export const shapeOption = (): Option => new Option('--shape <input=1x3x224x224>', 'shape of an input; may be given again').argParser(shapeOf);
export const offlineOption = (): Option => new Option('--offline', 'use no network: only what was fetched before');
