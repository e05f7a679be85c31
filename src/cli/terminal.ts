/** Where the command writes: results to stdout, everything said on the way to stderr, colour only where a person looks. */
import { styleText } from 'node:util';

type Stream = Pick<NodeJS.WriteStream, 'write'> & Partial<Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>>;
type Paint = (text: string) => string;

export interface Style {
  readonly strong: Paint;
  readonly faint: Paint;
  readonly good: Paint;
  readonly bad: Paint;
  readonly accent: Paint;
}

export interface Terminal {
  readonly stdout: Stream;
  readonly stderr: Stream;
  /** A line of results. */
  print(line?: string): void;
  /** A line for people, on stderr. */
  note(line: string): void;
  /** For what is printed on stdout. */
  readonly style: Style;
  /** Characters a line has on stdout. */
  readonly columns: number;
}

export function makeTerminal(stdout: Stream, stderr: Stream, environment: NodeJS.ProcessEnv = process.env): Terminal {
  return {
    stdout,
    stderr,
    print: (line = '') => void stdout.write(`${line}\n`),
    note: (line) => void stderr.write(`${line}\n`),
    style: styleFor(stdout, environment),
    // A terminal that does not know its size says 0.
    columns: Math.max(40, stdout.columns || 80),
  };
}

/** Colours for a stream; https://no-color.org says when not. */
export function styleFor(stream: Stream, environment: NodeJS.ProcessEnv = process.env): Style {
  const colour = stream.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb';
  const paint = (format: Parameters<typeof styleText>[0]): Paint => (text) => (colour ? styleText(format, text, { validateStream: false }) : text);
  return { strong: paint('bold'), faint: paint('gray'), good: paint('green'), bad: paint('red'), accent: paint('cyan') };
}

/** A bar of `width` characters, `fraction` of it full, to an eighth of a character. */
export function bar(fraction: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, fraction)) * width * 8);
  const rest = eighths % 8;
  return '█'.repeat(Math.floor(eighths / 8)) + (rest > 0 ? '▏▎▍▌▋▊▉'[rest - 1] : '');
}

/** Rows in columns, as wide as they need to be; `>` aligns a column to the right, a heading is a row like others. */
export function columns(rows: readonly (readonly string[])[], align = ''): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows.map((row) =>
    row.map((cell, i) => (align[i] === '>' ? cell.padStart(widths[i]) : i === row.length - 1 ? cell : cell.padEnd(widths[i]))).join('  '),
  );
}

/** At most `width` characters, cut in the middle. */
export function clip(text: string, width: number): string {
  if (text.length <= width) return text;
  const head = Math.ceil((width - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (width - 1 - head))}`;
}

/** Lines of whole words, none longer than `width` where its words are not. */
export function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1];
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

export const formatMs = (ms: number): string => `${ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : ms.toFixed(0)} ms`;

const units = ['B', 'kB', 'MB', 'GB'];
export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
