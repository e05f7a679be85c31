/** Tables for a terminal that examples share. */

/** How often each class (rows) was taken for each class (columns), with the part of each row that is right. */
export function confusionTable(matrix: readonly (readonly number[])[], classes: readonly string[]): string[] {
  const name = Math.max(...classes.map(({ length }) => length));
  const heads = classes.map((label) => label.slice(0, 6));
  const widths = heads.map(({ length }, j) => Math.max(length, ...matrix.map((row) => String(row[j]).length)));
  const line = (label: string, cells: readonly string[], end: string): string => `${label.padStart(name)}  ${cells.map((cell, j) => cell.padStart(widths[j])).join(' ')}  ${end}`;
  const rows = matrix.map((row, i) => {
    const right = row[i] / Math.max(1, row.reduce((a, b) => a + b, 0));
    return line(classes[i], row.map((count) => (count === 0 ? '.' : String(count))), `${(100 * right).toFixed(1).padStart(5)} %`);
  });
  return [line('', heads, 'right').trimEnd(), ...rows];
}

/** The part of all that lies on the diagonal. */
export function rightOf(matrix: readonly (readonly number[])[]): number {
  const all = matrix.flat().reduce((a, b) => a + b, 0);
  return matrix.reduce((sum, row, i) => sum + row[i], 0) / Math.max(1, all);
}

/** Blocks of lines next to each other, as many as fit. */
export const sideBySide = (blocks: readonly (readonly string[])[], gap = '   '): string[] =>
  (blocks[0] ?? []).map((_, line) => blocks.map((block) => block[line]).join(gap).trimEnd());
