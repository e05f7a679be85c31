// @ts-check
/** Rooflines as tables: groups of layers with what they reach, and the layers that take longest. */
import { groupLayers, leastOf } from './layers.mjs';

/** @typedef {import('./types.ts').Roofline} Roofline */

const groupsShown = 8;
const layersShown = 5;
const percent = (/** @type {number} */ part) => `${(100 * part).toFixed(part < 0.1 ? 1 : 0)} %`;
const rate = (/** @type {number} */ amount, /** @type {number} */ ms) => (amount / ms / 1e6).toPrecision(3).replace(/\.$/, '');

/** Name of the plot's file. @param {Roofline} roofline */
export const plotName = ({ work, isa }) => `roofline-${work}-${isa}.svg`;

/** @param {Roofline} roofline */
export function rooflineTables({ title, isa, roof, layers }) {
  const all = layers.reduce((sum, { ms }) => sum + ms, 0);
  const groups = groupLayers(layers, roof);
  const total = { kind: 'all', count: layers.length, ms: all, share: 1, flops: sum(layers, 'flops'), bytes: sum(layers, 'bytes'), ofRoof: layers.reduce((least, layer) => least + leastOf(layer, roof).ms, 0) / all, bound: '' };
  const cells = (/** @type {typeof total} */ { kind, count, ms, share, flops, bytes, ofRoof, bound }) => [
    kind,
    `${count}`,
    `${ms.toPrecision(3)} ms`,
    percent(share),
    flops > 0 ? rate(flops, ms) : '',
    rate(bytes, ms),
    flops > 0 ? percent(flops / ms / 1e6 / roof.gflops) : '',
    percent(ofRoof),
    bound,
  ];
  const slowest = [...layers].sort((a, b) => b.ms - a.ms).slice(0, layersShown);
  return {
    title: `${title}, ${isa}, one thread`,
    roof: `Peak of the core ${roof.gflops.toFixed(0)} GFLOP/s; ${roof.bandwidths.map(({ bytes, gbs }) => `${gbs.toPrecision(3)} GB/s in ${Number((bytes / 2 ** 20).toPrecision(3))} MiB`).join(', ')}.`,
    groups: { heads: ['layers', 'steps', 'time', 'share', 'GFLOP/s', 'GB/s', 'of the peak', 'of the roof', 'bound by'], rows: [...groups.slice(0, groupsShown).map(cells), cells(total)] },
    layers: {
      heads: ['slowest layers', 'shapes', 'time', 'GFLOP/s', 'of the peak', 'of the roof'],
      rows: slowest.map((layer) => {
        const { op, name, shapes, epilogue, ms, flops } = layer;
        const what = [name || op, epilogue && epilogue !== op ? `+ ${epilogue}` : ''].filter(Boolean).join(' ');
        return [clip(what), clip(shapes.replaceAll(':', ' ')), `${ms.toPrecision(3)} ms`, flops > 0 ? rate(flops, ms) : '', flops > 0 ? percent(flops / ms / 1e6 / roof.gflops) : '', percent(leastOf(layer, roof).ms / ms)];
      }),
    },
  };
}

/** @param {readonly import('./types.ts').Layer[]} layers @param {'flops' | 'bytes'} what */
const sum = (layers, what) => layers.reduce((total, layer) => total + layer[what], 0);
/** @param {string} text */
const clip = (text) => (text.length > 56 ? `${text.slice(0, 55)}…` : text);

/** @param {Roofline} roofline @returns {string[]} lines */
export function rooflineMarkdown(roofline) {
  const { title, roof, groups, layers } = rooflineTables(roofline);
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(' | ')} |`;
  const table = (/** @type {typeof groups} */ { heads, rows }, /** @type {number} */ lefts) => [line(heads), line(heads.map((_, i) => (i < lefts ? '---' : '---:'))), ...rows.map(line)];
  return ['', `### ${title}`, '', `![${title}: each layer under the roof](plots/${plotName(roofline)})`, '', roof, '', ...table(groups, 1), '', ...table(layers, 2)];
}

/** @param {Roofline} roofline @returns {string[]} lines */
export function rooflineTerminal(roofline) {
  const { title, roof, groups, layers } = rooflineTables(roofline);
  return ['', title, roof, ...[groups, layers].flatMap(({ heads, rows }) => {
    const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column].length)));
    return [heads, ...rows].map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ').trimEnd());
  })];
}
