// @ts-check
/** A backend whose every value is off by a thousandth of the scale. */

/** @type {import('../types.ts').Backend['open']} */
export async function open({ inputs }) {
  return { run: () => ({ y: inputs.x.data.map((value) => value + 0.001) }) };
}
