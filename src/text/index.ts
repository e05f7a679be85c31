/** From a recogniser's scores to text. Runs in the browser. */
export { ctcGreedy, type CtcLine, type CtcOptions } from './ctc.ts';
export { TextError } from './errors.ts';
