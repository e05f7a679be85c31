// @ts-check
/** How many times as fast as the peer, a bar for each row, with a mark at what is asked. */
import { element, faint, ink, svg, text, tooltip } from './svg.mjs';

const colours = { met: '#1a7f37', short: '#bf8700', missed: '#cf222e', wrong: '#6e7781', 'not run': '#6e7781', '': '#0969da' };
const [left, right, top, line] = [370, 60, 44, 20];
const width = 860;

/** @param {string} title @param {readonly import('../types.ts').Row[]} rows */
export function barPlot(title, rows) {
  const shown = rows.filter(({ ratio }) => ratio);
  const most = Math.max(1, ...shown.map(({ ratio, bar }) => Math.max(ratio?.median ?? 0, bar?.atLeast ?? 0))) * 1.02;
  const height = top + line * shown.length + 34;
  const at = (/** @type {number} */ ratio) => left + (ratio / most) * (width - left - right);
  const step = most > 6 ? 2 : most > 3 ? 1 : 0.5;
  const ticks = Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
  const bottom = top + line * shown.length;
  return svg(width, height, title, [
    text(16, 24, title, { 'font-size': 15, 'font-weight': 600 }),
    ...ticks.flatMap((tick) => [
      element('line', { x1: at(tick), x2: at(tick), y1: top - 4, y2: bottom + 4, stroke: tick === 1 ? ink : faint }),
      text(at(tick), bottom + 20, `${tick}`, { 'text-anchor': 'middle' }),
    ]),
    ...shown.flatMap((row, index) => {
      const y = top + line * index;
      const { work, isa, node, threads, ratio, bar, verdict } = row;
      const value = ratio?.median ?? 0;
      const label = `${work}, ${isa}${node && ` Node ${node.split('.')[0]}`}, ${threads} thread${threads === 1 ? '' : 's'}`;
      return [
        text(left - 10, y + 14, label, { 'text-anchor': 'end', 'font-size': 11 }),
        element('rect', { x: left, y: y + 3, width: at(value) - left, height: line - 6, fill: colours[verdict], rx: 2 }, tooltip(`${label}: ${value.toFixed(2)} times as fast`)),
        text(at(value) + 6, y + 14, value.toFixed(2), { 'font-size': 11 }),
        ...(bar?.atLeast === undefined ? [] : [element('line', { x1: at(bar.atLeast), x2: at(bar.atLeast), y1: y + 1, y2: y + line - 1, stroke: ink, 'stroke-width': 2 })]),
      ];
    }),
  ]);
}
