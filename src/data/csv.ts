/** CSV: text to a table of texts, and its columns to numbers. Reading is Papa Parse's; what is uneven or no number is an error at its line. */
import Papa from 'papaparse';
import { fromTypedArray, type Tensor } from '../tensor/index.ts';
import { DataError } from './errors.ts';

export interface CsvTable {
  /** Names of columns: of the first line, or '0', '1', ... */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface CsvOptions {
  /** Whether the first line has the names. Default: true. */
  readonly header?: boolean;
  /** Default: found out from the text (comma, tab, semicolon, bar). */
  readonly delimiter?: string;
  /** For messages. */
  readonly file?: string;
}

/** Quoted fields, fields over several lines and all line ends are understood, empty lines passed over. @throws DataError where rows differ in length or quotes stay open */
export function parseCsv(text: string, { header = true, delimiter = '', file = 'CSV' }: CsvOptions = {}): CsvTable {
  // A byte order mark is no part of the first name.
  const { data, errors } = Papa.parse<string[]>(text.replace(/^\uFEFF/, ''), { delimiter, skipEmptyLines: true });
  const [problem] = errors.filter(({ type }) => type === 'Quotes');
  if (problem) throw new DataError(`${file}, row ${(problem.row ?? 0) + 1}`, { expected: 'well-formed quotes', got: problem.message });
  const columns = header ? (data[0] ?? []) : (data[0] ?? []).map((_, i) => `${i}`);
  if (new Set(columns).size < columns.length) throw new DataError(file, { expected: 'columns of different names', got: columns.join(', '), hint: 'set header to false where there are none' });
  const odd = data.findIndex((row) => row.length !== columns.length);
  if (odd >= 0) throw new DataError(`${file}, row ${odd + 1}`, { expected: `${columns.length} fields`, got: `${data[odd].length}` });
  return { columns, rows: header ? data.slice(1) : data };
}

function placeOf({ columns }: CsvTable, name: string): number {
  const place = columns.indexOf(name);
  if (place < 0) throw new DataError('column', { expected: `one of ${columns.join(', ')}`, got: name });
  return place;
}

/** The texts of a column. @throws DataError where there is no such column */
export function csvColumn(table: CsvTable, name: string): string[] {
  const place = placeOf(table, name);
  return table.rows.map((row) => row[place]);
}

/** Columns (default: all) as float32 [rows, columns]. @throws DataError at the first field that is no number */
export function csvTensor(table: CsvTable, names: readonly string[] = table.columns): Tensor {
  const places = names.map((name) => placeOf(table, name));
  const result = new Float32Array(table.rows.length * places.length);
  table.rows.forEach((row, i) => {
    places.forEach((place, j) => {
      const text = row[place].trim();
      const value = text === '' ? NaN : Number(text);
      if (Number.isNaN(value) && text.toLowerCase() !== 'nan') throw new DataError(`column ${names[j]}, data row ${i + 1}`, { expected: 'a number', got: `'${row[place].slice(0, 40)}'` });
      result[i * places.length + j] = value;
    });
  });
  return fromTypedArray(result, [table.rows.length, places.length]);
}
