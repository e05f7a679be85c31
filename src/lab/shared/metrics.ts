/** What names of metrics tell: which of them belong together, and which way is better. */

/** What comes before the first slash. */
export const groupOf = (name: string): string => name.split('/', 1)[0];

export type Direction = 'lower' | 'higher' | 'none';

const words = (name: string): string => `-${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}-`;

/** Where it would mean nothing to say which value was best, `none`. */
export function direction(name: string): Direction {
  const text = words(name);
  if (/-(acc|accuracy|precision|recall|f1|auc|bleu|rouge|iou|map|score|reward|return|top-?\d+|r2|psnr|ssim)-/.test(text)) return 'higher';
  if (/-(loss|nll|mse|mae|rmse|error|wer|cer|perplexity|ppl|bce|kl|entropy|fid)-/.test(text)) return 'lower';
  return 'none';
}

/** Which data a metric is of, by its name: `loss/validation`, `val_loss`. */
export function splitOf(name: string): 'train' | 'validation' | undefined {
  const text = words(name);
  if (/-(validation|valid|val|eval|dev|test)-/.test(text)) return 'validation';
  if (/-(train|training)-/.test(text)) return 'train';
  return undefined;
}

/** A metric without its split: `loss` of `loss/train` and of `val_loss`. */
export const metricOf = (name: string): string => words(name).replace(/-(validation|valid|val|eval|dev|test|train|training)(?=-)/, '').replaceAll(/^-|-$/g, '');
