import { expect, test } from 'vitest';
import { readEnvironment } from './environment.ts';

test('unset and empty variables mean the defaults', () => {
  const defaults = { isa: undefined, native: true, threads: undefined, precision: undefined, verbose: false, dump: undefined };
  expect(readEnvironment({})).toEqual(defaults);
  expect(readEnvironment({ WHET_ISA: '', WHET_THREADS: ' ', WHET_NATIVE: '' })).toEqual(defaults);
});

test('every variable is read', () => {
  const variables = { WHET_ISA: 'wasm', WHET_NATIVE: '0', WHET_THREADS: '3', WHET_PRECISION: 'highest', WHET_VERBOSE: '1', WHET_DUMP: '/tmp/code' };
  expect(readEnvironment(variables)).toEqual({ isa: 'wasm', native: false, threads: 3, precision: 'highest', verbose: true, dump: '/tmp/code' });
});

test.each([
  [{ WHET_ISA: 'sse' }, 'WHET_ISA: expected avx512, avx2, wasm, got "sse"'],
  [{ WHET_ISA: 'toString' }, 'WHET_ISA: expected'],
  [{ WHET_THREADS: '0' }, 'WHET_THREADS: expected a whole number, 1 to 256, got "0"'],
  [{ WHET_THREADS: '2.5' }, 'WHET_THREADS'],
  [{ WHET_THREADS: '257' }, 'WHET_THREADS'],
  [{ WHET_THREADS: 'many' }, 'WHET_THREADS'],
  [{ WHET_PRECISION: 'low' }, 'WHET_PRECISION: expected high or highest, got "low"'],
  [{ WHET_VERBOSE: 'yes' }, 'WHET_VERBOSE: expected 0 or 1, got "yes"'],
  [{ WHET_NATIVE: '0', WHET_ISA: 'avx2' }, 'WHET_NATIVE: got 0 together with WHET_ISA=avx2'],
])('%o is refused', (variables, message) => {
  expect(() => readEnvironment(variables)).toThrow(message);
});
