// @ts-check
/** A backend whose process dies in its second run. */

/** @type {import('../types.ts').Backend['open']} */
export async function open() {
  let runs = 0;
  return {
    run() {
      if (++runs > 1) process.exit(7);
      return {};
    },
  };
}
