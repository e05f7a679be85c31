/** A confusion matrix as a picture. */
import sharp from 'sharp';

const escape = (text: string): string => text.replace(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`);

/** Rows are what pictures show, columns what they were taken for; the darker, the more of the row. */
export function confusionSvg(matrix: readonly (readonly number[])[], classes: readonly string[]): string {
  const [cell, left, top] = [44, 100, 90];
  const size = cell * classes.length;
  const text = (x: number, y: number, label: string, more = ''): string => `<text x="${x}" y="${y}" ${more}>${escape(label)}</text>`;
  const cells = matrix.flatMap((row, i) => {
    const total = Math.max(1, row.reduce((a, b) => a + b, 0));
    return row.map((count, j) => {
      const part = count / total;
      const [x, y] = [left + j * cell, top + i * cell];
      const colour = i === j ? `rgba(20,110,60,${part.toFixed(3)})` : `rgba(190,40,30,${Math.min(1, 2 * part).toFixed(3)})`;
      const label = count === 0 ? '' : text(x + cell / 2, y + cell / 2 + 4, String(count), `text-anchor="middle" fill="${part > 0.5 ? '#fff' : '#222'}"`);
      return `<rect x="${x}" y="${y}" width="${cell - 1}" height="${cell - 1}" fill="${colour}" stroke="#ddd"/>${label}`;
    });
  });
  const heads = classes.flatMap((label, i) => [
    text(left - 8, top + i * cell + cell / 2 + 4, label, 'text-anchor="end"'),
    text(0, 0, label, `transform="translate(${left + i * cell + cell / 2 + 4},${top - 8}) rotate(-45)"`),
  ]);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${left + size + 60}" height="${top + size + 20}" font-family="sans-serif" font-size="12" fill="#222">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...cells,
    ...heads,
    '</svg>',
  ].join('\n');
}

/** As PNG. */
export const confusionPng = (matrix: readonly (readonly number[])[], classes: readonly string[]): Promise<Uint8Array> => sharp(Buffer.from(confusionSvg(matrix, classes))).png().toBuffer();
