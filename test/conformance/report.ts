/** The table by operator, the sums, what failed and why the rest was skipped. */
import type { Case } from './cases.ts';
import { isListed, type Outcome } from './run-case.ts';

export type Results = ReadonlyMap<string, ReadonlyMap<Case, Outcome>>;

const kinds = ['pass', 'fail', 'skip'] as const;

/** Cells are pass / fail / skip. A case counts for every operator in it, and once in the sum. */
export function table(results: Results): string {
  const targets = [...results.keys()];
  const cases = [...results.values()][0].keys();
  const byOp = new Map<string, Case[]>();
  const every: Case[] = [];
  for (const testCase of cases) {
    every.push(testCase);
    for (const op of testCase.ops) byOp.set(op, [...(byOp.get(op) ?? []), testCase]);
  }
  const cells = (cases: readonly Case[]) =>
    targets.map((target) => {
      const outcomes = cases.map((testCase) => results.get(target)!.get(testCase)!.kind);
      return kinds.map((kind) => outcomes.filter((outcome) => outcome === kind).length).join(' / ');
    });
  const rows = [
    ['operator', 'cases', ...targets.map((target) => `${target} (pass / fail / skip)`)],
    ...[...byOp].sort(([a], [b]) => (a < b ? -1 : 1)).map(([op, cases]) => [op, `${cases.length}`, ...cells(cases)]),
    ['all listed', `${every.filter(isListed).length}`, ...cells(every.filter(isListed))],
    ['all', `${every.length}`, ...cells(every)],
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd());
  return [lines[0], '-'.repeat(lines[0].length), ...lines.slice(1)].join('\n');
}

/** Why cases of a target were skipped, the most frequent reason first. */
export function skips(outcomes: ReadonlyMap<Case, Outcome>): string {
  const reasons = new Map<string, number>();
  for (const outcome of outcomes.values()) if (outcome.kind === 'skip') reasons.set(outcome.why, (reasons.get(outcome.why) ?? 0) + 1);
  return [...reasons].sort(([, a], [, b]) => b - a).map(([why, count]) => `  ${count} x ${why}`).join('\n');
}

export function failures(outcomes: ReadonlyMap<Case, Outcome>): string[] {
  return [...outcomes].flatMap(([{ name, ops }, outcome]) => (outcome.kind === 'fail' ? [`${name} (${ops.join(', ')}): ${outcome.why}`] : []));
}
