// @ts-check
/**
 * A roofline (Williams, Waterman and Patterson, 2009): what each layer reaches over its operations a byte, under the core's peak and the
 * speeds of its memories. A dot's area is the layer's part of the time.
 */
import { element, faint, ink, palette, svg, text, tooltip } from './svg.mjs';

const [width, height] = [860, 460];
const [left, right, top, bottom] = [64, 230, 62, 48];

/** @param {import('../types.ts').Roofline} roofline */
export function rooflinePlot({ title, isa, roof, layers }) {
  const shown = layers.filter(({ flops }) => flops > 0);
  const kinds = [...new Set(shown.map(({ kind }) => kind))];
  const all = layers.reduce((sum, { ms }) => sum + ms, 0);
  const intensity = (/** @type {{ flops: number, bytes: number }} */ { flops, bytes }) => flops / bytes;
  const speed = (/** @type {{ flops: number, ms: number }} */ { flops, ms }) => flops / ms / 1e6;
  const [fromX, toX] = decades(shown.map(intensity), [0.5, 100]);
  const [fromY, toY] = decades([...shown.map(speed), roof.gflops * 1.3], [roof.gflops / 50, roof.gflops]);
  const x = (/** @type {number} */ value) => left + (Math.log10(value / fromX) / Math.log10(toX / fromX)) * (width - left - right);
  const y = (/** @type {number} */ value) => height - bottom - (Math.log10(value / fromY) / Math.log10(toY / fromY)) * (height - top - bottom);
  const colour = (/** @type {string} */ kind) => palette[kinds.indexOf(kind) % palette.length];
  const plot = { x: left, y: top, width: width - left - right, height: height - top - bottom };
  const heading = `${title}, ${isa}, one thread`;
  return svg(width, height, heading, [
    text(16, 24, heading, { 'font-size': 15, 'font-weight': 600 }),
    element('clipPath', { id: 'plot' }, element('rect', plot)),
    ...powers(fromX, toX).flatMap((value) => [
      element('line', { x1: x(value), x2: x(value), y1: top, y2: height - bottom, stroke: faint }),
      text(x(value), height - bottom + 18, `${value}`, { 'text-anchor': 'middle' }),
    ]),
    ...powers(fromY, toY).flatMap((value) => [
      element('line', { x1: left, x2: width - right, y1: y(value), y2: y(value), stroke: faint }),
      text(left - 8, y(value) + 4, `${value}`, { 'text-anchor': 'end' }),
    ]),
    text(left + plot.width / 2, height - 10, 'operations a byte', { 'text-anchor': 'middle' }),
    text(16, top - 8, 'GFLOP/s'),
    element('g', { 'clip-path': 'url(#plot)' }, [
      element('line', { x1: x(fromX), x2: x(toX), y1: y(roof.gflops), y2: y(roof.gflops), stroke: ink, 'stroke-width': 2 }),
      ...roof.bandwidths.map(({ gbs }, index) => {
        const ridge = roof.gflops / gbs;
        return element('line', { x1: x(fromX), y1: y(gbs * fromX), x2: x(ridge), y2: y(roof.gflops), stroke: ink, 'stroke-dasharray': index === 0 ? undefined : `${10 - 2 * index} 4` });
      }),
      ...shown.map((layer) => {
        const { kind, name, op, shapes, ms } = layer;
        const said = `${name || op} ${shapes}: ${ms.toFixed(3)} ms, ${speed(layer).toFixed(0)} GFLOP/s, ${((100 * speed(layer)) / roof.gflops).toFixed(0)} % of the peak`;
        return element('circle', { cx: x(intensity(layer)), cy: y(speed(layer)), r: 2 + 26 * Math.sqrt(ms / all), fill: colour(kind), 'fill-opacity': '0.55', stroke: colour(kind) }, tooltip(said));
      }),
    ].join('\n')),
    ...legend(kinds.map((kind) => ({ colour: colour(kind), label: kind })), roof),
  ]);
}

/** @param {readonly { colour: string, label: string }[]} kinds @param {import('../types.ts').Roof} roof */
function legend(kinds, { gflops, bandwidths }) {
  const x = width - right + 20;
  const lines = [{ label: `peak ${gflops.toFixed(0)} GFLOP/s`, dashes: undefined, width: 2 }, ...bandwidths.map(({ bytes, gbs }, index) => ({ label: `${gbs.toPrecision(3)} GB/s in ${Number((bytes / 2 ** 20).toPrecision(3))} MiB`, dashes: index === 0 ? undefined : `${10 - 2 * index} 4`, width: 1 }))];
  return [
    ...kinds.flatMap(({ colour, label }, index) => [element('circle', { cx: x + 8, cy: top + 10 + 20 * index, r: 6, fill: colour, 'fill-opacity': '0.55', stroke: colour }), text(x + 24, top + 14 + 20 * index, label)]),
    ...lines.flatMap(({ label, dashes, width: stroke }, index) => {
      const y = top + 26 + 20 * (kinds.length + index);
      return [element('line', { x1: x, x2: x + 18, y1: y, y2: y, stroke: ink, 'stroke-width': stroke, 'stroke-dasharray': dashes }), text(x + 24, y + 4, label)];
    }),
  ];
}

/** Whole powers of ten around values. @param {readonly number[]} values @param {readonly number[]} atLeast */
function decades(values, atLeast) {
  const all = [...values, ...atLeast];
  return [10 ** Math.floor(Math.log10(Math.min(...all))), 10 ** Math.ceil(Math.log10(Math.max(...all)))];
}

/** @param {number} from @param {number} to */
const powers = (from, to) => Array.from({ length: Math.round(Math.log10(to / from)) + 1 }, (_, i) => Number((from * 10 ** i).toPrecision(1)));
