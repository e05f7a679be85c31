/** History: what a training has come to, epoch by epoch. */

export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  /** Updates so far. */
  readonly step: number;
  /** `loss/train`, `loss/validation`, a metric's name in place of `loss`, `learning-rate`. */
  readonly values: Readonly<Record<string, number>>;
}

export interface History {
  readonly epochs: readonly EpochRecord[];
  /** The epoch that early stopping's monitor was best in. */
  readonly best: { readonly epoch: number; readonly monitor: string; readonly value: number } | undefined;
  /** Why it ended before its last epoch. */
  readonly stopped: string | undefined;
}
