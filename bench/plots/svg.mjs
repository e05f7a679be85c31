// @ts-check
/** SVG by hand: elements as text, and the look that all plots share. Numbers are rounded, so that a plot stays small. */

export const font = 'font-family="system-ui, sans-serif"';
export const ink = '#24292f';
export const faint = '#d0d7de';
export const palette = ['#0969da', '#bf3989', '#1a7f37', '#bc4c00', '#8250df', '#9a6700', '#57606a', '#cf222e'];

const escapes = /** @type {Readonly<Record<string, string>>} */ ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' });
/** @param {string} text */
const escape = (text) => text.replace(/[&<>"]/g, (character) => escapes[character]);

/** @typedef {Readonly<Record<string, string | number | undefined>>} Attributes */

/** @param {string} name @param {Attributes} attributes @param {string} [content] already SVG */
export function element(name, attributes, content) {
  const list = Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : [` ${key}="${typeof value === 'number' ? Number(value.toFixed(1)) : escape(value)}"`]));
  return content === undefined ? `<${name}${list.join('')}/>` : `<${name}${list.join('')}>${content}</${name}>`;
}

/** @param {number} x @param {number} y @param {string} content @param {Attributes} [attributes] */
export const text = (x, y, content, attributes = {}) => element('text', { x, y, fill: ink, ...attributes }, escape(content));

/** What is shown where the pointer rests. @param {string} content */
export const tooltip = (content) => element('title', {}, escape(content));

/** @param {number} width @param {number} height @param {string} title @param {readonly string[]} parts */
export const svg = (width, height, title, parts) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ${font} font-size="12" role="img">\n${[
    tooltip(title),
    element('rect', { width, height, fill: '#ffffff' }),
    ...parts,
  ].join('\n')}\n</svg>\n`;
