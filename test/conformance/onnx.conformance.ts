/** Runs ONNX's backend cases on every target. WHET_TARGETS=wasm,avx2 and WHET_CASES=<pattern> narrow it down. */
import { expect, test } from 'vitest';
import { type Case, dataFolder, findCases } from './cases.ts';
import { failures, skips, table } from './report.ts';
import { type Outcome, runCase } from './run-case.ts';
import { targets } from './targets.ts';

const cases = findCases(new RegExp(process.env.WHET_CASES ?? '.'));
const wanted = process.env.WHET_TARGETS?.split(',') ?? Object.keys(targets);

if (!cases) {
  test.skip(`skipped: no ONNX test data in ${dataFolder} (Debian: apt install libonnx-testdata)`);
  console.log(`conformance skipped: no ONNX test data in ${dataFolder} (Debian: apt install libonnx-testdata)`);
} else {
  test('every case that Whetstone has the operators for', async () => {
    const results = new Map<string, Map<Case, Outcome>>();
    for (const name of wanted) {
      const outcomes = new Map<Case, Outcome>();
      for (const testCase of cases) outcomes.set(testCase, await runCase(testCase, targets[name]));
      results.set(name, outcomes);
    }
    console.log(table(results));
    for (const [name, outcomes] of results) {
      console.log(`${name}, skipped:\n${skips(outcomes)}`);
      const failed = failures(outcomes);
      if (failed.length > 0) console.log(`${name}, failed:\n  ${failed.join('\n  ')}`);
    }
    expect([...results].flatMap(([name, outcomes]) => failures(outcomes).map((failure) => `${name}: ${failure}`))).toEqual([]);
  });
}
