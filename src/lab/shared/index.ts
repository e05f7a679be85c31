/** What the page and the server have in common. Nothing here needs Node. */
export type { Config, ConfigValue } from './config.ts';
export { binValues, type HistogramBins } from './histogram.ts';
