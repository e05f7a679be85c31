// @ts-check
/** Rows as a table for the terminal, and as the generated part of docs/performance.md. */
import { styleText } from 'node:util';
import { barPlot } from './plots/bars.mjs';
import { rooflinePlot } from './plots/roofline.mjs';
import { plotName, rooflineMarkdown, rooflineTerminal } from './roofline-report.mjs';

/** @typedef {import('./types.ts').Row} Row */

/** Around the generated part of a page. @param {string} part */
const marksOf = (part) => ({ begin: `<!-- npm run bench, ${part}: begin -->`, end: `<!-- npm run bench, ${part}: end -->` });

/** What a table is about, in its order; the ratio is always ours compared with theirs. */
const sections = [
  { name: 'peer', title: 'Against the peers', ratio: 'times as fast' },
  { name: 'threads', title: 'More threads against one', ratio: 'times as fast' },
  { name: 'peak', title: "Against the core's peak", ratio: 'of the peak' },
  { name: 'load', title: 'Load and compile', ratio: 'times as fast' },
  { name: 'once', title: 'Nothing compiled twice', ratio: 'compiled to different' },
  { name: 'memory', title: 'Peak memory', ratio: 'times as much' },
];

/** Columns of a table: the head, given its section, and the cell; `left` where it is text. */
const columns = [
  { head: () => 'work', cell: (/** @type {Row} */ row) => row.work, left: true },
  { head: () => 'isa', cell: (/** @type {Row} */ row) => row.isa, left: true },
  { head: () => 'Node', cell: (/** @type {Row} */ row) => row.node },
  { head: () => 'threads', cell: (/** @type {Row} */ row) => `${row.threads}` },
  { head: () => 'whetstone (least)', cell: (/** @type {Row} */ row) => side(row.ours, row.unit) },
  { head: () => 'rate', cell: (/** @type {Row} */ row) => rate(row, 'ours') },
  { head: () => 'against', cell: (/** @type {Row} */ row) => row.peer, left: true },
  { head: () => 'its (least)', cell: (/** @type {Row} */ row) => side(row.theirs, row.unit) },
  { head: () => 'rate', cell: (/** @type {Row} */ row) => rate(row, 'theirs') },
  { head: (/** @type {string} */ ratio) => ratio, cell: (/** @type {Row} */ row) => ratioText(row) },
  { head: () => 'asked', cell: (/** @type {Row} */ row) => barText(row) },
  { head: () => '', cell: (/** @type {Row} */ row) => (row.verdict === 'short' ? `above ${row.bar?.floor}` : row.verdict), left: true },
  { head: () => 'outputs differ', cell: (/** @type {Row} */ row) => (row.difference === undefined ? '' : row.difference === 0 ? 'no' : row.difference.toExponential(0)) },
];

/** @param {Row['ours']} value @param {string} unit */
const side = (value, unit) => (unit === 'kernels' ? `${value?.median ?? ''}` : value ? `${digits(value.median)} (${digits(value.min)}) ${unit}` : '');
/** @param {Row} row @param {'ours' | 'theirs'} who */
const rate = (row, who) => (row.rate ? `${digits(row.rate[who])} ${row.rate.unit}` : '');
/** @param {Row} row */
const ratioText = ({ ratio }) => (ratio ? `${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)}-${ratio.high.toFixed(2)})` : '');
/** @param {Row} row */
const barText = ({ bar }) => (!bar ? '' : bar.atLeast === undefined ? `<= ${bar.atMost}` : `>= ${bar.atLeast}${bar.floor === undefined ? '' : ` (${bar.floor})`}`);

/** Three digits, never an exponent. @param {number} value */
function digits(value) {
  const decimals = Math.min(3, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1))));
  return value.toFixed(decimals);
}

/** The tables that have rows; columns that would be empty are left out. @param {readonly Row[]} rows */
function tables(rows) {
  return sections.flatMap(({ name, title, ratio }) => {
    const own = rows.filter(({ section }) => section === name);
    if (own.length === 0) return [];
    const kept = columns.filter(({ cell }) => own.some((row) => cell(row) !== ''));
    const notes = own.flatMap((row) => row.notes.map((note) => `${row.work}, ${row.isa}${row.node && `, Node ${row.node}`}: ${note}`));
    return [{ title, heads: kept.map(({ head }) => head(ratio)), lefts: kept.map(({ left }) => left ?? false), cells: own.map((row) => kept.map(({ cell }) => cell(row))), notes: [...new Set(notes)] }];
  });
}

const colours = /** @type {const} */ ({ met: 'green', 'above 1': 'yellow', missed: 'red', wrong: 'red', 'not run': 'yellow' });

/** @param {import('./types.ts').Report} report @param {boolean} colour */
export function terminalReport({ machine, warnings, rows, rooflines }, colour) {
  const paint = (/** @type {string} */ text) => {
    const format = colours[/** @type {keyof typeof colours} */ (text.trim())];
    return colour && format ? styleText(format, text) : text;
  };
  const lines = [[machine.cpu, `${machine.cores} cores`, `Node ${machine.node}`, machine.peers, machine.commit].filter(Boolean).join('; ')];
  for (const { title, heads, lefts, cells, notes } of tables(rows)) {
    const widths = heads.map((head, column) => Math.max(head.length, ...cells.map((row) => row[column].length)));
    const line = (/** @type {readonly string[]} */ row) =>
      row.map((cell, column) => paint(lefts[column] ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ').trimEnd();
    lines.push('', title, line(heads), widths.map((width) => '-'.repeat(width)).join('  '), ...cells.map(line), ...notes.map((note) => `  ${note}`));
  }
  return [...lines, ...rooflines.flatMap(rooflineTerminal), '', ...warnings.map((warning) => `warning: ${warning}`), summary(rows), ''].join('\n');
}

/** @param {readonly Row[]} rows */
function summary(rows) {
  const asked = rows.filter(({ bar }) => bar);
  if (asked.length === 0) return '';
  const count = (/** @type {Row['verdict']} */ verdict) => asked.filter((row) => row.verdict === verdict).length;
  const rest = /** @type {const} */ (['short', 'missed', 'wrong', 'not run']).filter((verdict) => count(verdict) > 0).map((verdict) => `, ${count(verdict)} ${verdict}`);
  return `${count('met')} of ${asked.length} bars met${rest.join('')}.`;
}

/** @param {import('./types.ts').Report} report */
export function markdownReport({ part, date, command, machine, seconds, warnings, rows, rooflines }) {
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const lines = [
    `Measured ${date} by \`${command}\`, in ${seconds < 120 ? `${Math.round(seconds)} seconds` : `${Math.round(seconds / 60)} minutes`}. ${summary(rows)}`,
    '',
    line(['machine', '']),
    line(['---', '---']),
    ...Object.entries(machine).filter(([, value]) => value !== '').map(([name, value]) => line([name, value])),
    ...warnings.map((warning) => `\n**Warning:** ${warning}.`),
  ];
  if (rows.some(isPlotted)) lines.push('', `![Times as fast as the peers](plots/${part}.svg)`);
  for (const { title, heads, lefts, cells, notes } of tables(rows)) {
    lines.push('', `### ${title}`, '', line(heads), line(lefts.map((left) => (left ? '---' : '---:'))), ...cells.map(line));
    if (notes.length > 0) lines.push('', ...notes.map((note) => `- ${note}`));
  }
  return [...lines, ...rooflines.flatMap(rooflineMarkdown)].join('\n');
}

/** Rows that are bars of a plot. @param {Row} row */
const isPlotted = ({ section, ratio }) => section === 'peer' && ratio !== undefined;

/** Plots that the page shows, by the names of their files. @param {import('./types.ts').Report} report @returns {[name: string, content: string][]} */
export const plotsOf = ({ part, rows, rooflines }) => [
  ...(rows.some(isPlotted) ? [/** @type {[string, string]} */ ([`${part}.svg`, barPlot('Times as fast as the peer, and what is asked', rows.filter(isPlotted))])] : []),
  ...rooflines.map((roofline) => /** @type {[string, string]} */ ([plotName(roofline), rooflinePlot(roofline)])),
];

/**
 * The page with a generated part replaced.
 * @param {string} page @param {string} part @param {string} generated @throws Error where the page has no such part.
 */
export function replaceGenerated(page, part, generated) {
  const { begin, end } = marksOf(part);
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`no part between '${begin}' and '${end}' to be written`);
  return `${page.slice(0, from + begin.length)}\n${generated}\n${page.slice(to)}`;
}
