/** What the page and the server have in common. Nothing here needs Node. */
export type { Config, ConfigValue } from './config.ts';
export { binValues, type HistogramBins } from './histogram.ts';
export { type Direction, direction, groupOf, metricOf, splitOf } from './metrics.ts';
export { type Curve, findOverfitting, type Overfitting } from './overfit.ts';
export type { HistogramSeries, MetricSummary, RunData, RunList, RunStatus, RunSummary, SampleSeries, SeriesPart } from './protocol.ts';
