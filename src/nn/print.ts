/** Arguments of modules in print: as Python writes them, since that is what one compares with. */

export type Argument = number | boolean | null | string | readonly Argument[];

/** `True`, `None`, `'same'`, `(3, 3)`, `(3,)` */
export function python(value: Argument): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return `'${value}'`;
  // Python turns to exponents below 1e-4, and writes two digits of them.
  if (typeof value === 'number') return (value !== 0 && Math.abs(value) < 1e-4 ? value.toExponential() : String(value)).replace(/e([+-])(\d)$/, 'e$10$2');
  return value.length === 1 ? `(${python(value[0])},)` : `(${value.map(python).join(', ')})`;
}

/** A number that is a float in Python: `1.0`. */
export const float = (value: number): string => (Number.isInteger(value) ? `${value}.0` : python(value));

/** `stride=(2, 2), bias=False` */
export const keywords = (values: Readonly<Record<string, Argument>>): string =>
  Object.entries(values).map(([name, value]) => `${name}=${python(value)}`).join(', ');
