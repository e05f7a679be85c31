/** The experiment's configurations: the reference, what becomes of it with one thing changed, and one for half a minute. */
export interface Config {
  readonly summary: string;
  readonly layers: number;
  readonly hidden: number;
  /** Between the layers. */
  readonly dropout: number;
  readonly lr: number;
  readonly batch: number;
  /** Pairs to train on, and to validate on. */
  readonly train: number;
  readonly valid: number;
  readonly epochs: number;
}

const reference: Config = { summary: 'as published: 4 layers, dropout 0.8', layers: 4, hidden: 256, dropout: 0.8, lr: 1e-3, batch: 64, train: 14_000, valid: 2_800, epochs: 2_000 };

export const configs: Readonly<Record<string, Config>> = {
  reference,
  'one-layer': { ...reference, summary: 'the reference with 1 layer and no dropout', layers: 1, dropout: 0 },
  'no-dropout': { ...reference, summary: 'the reference without dropout', dropout: 0 },
  'few-pairs': { ...reference, summary: 'the reference with 2,800 pairs to train on', train: 2_800 },
  quick: { ...reference, summary: 'a small model that learns while one watches', layers: 1, hidden: 128, dropout: 0, lr: 3e-3, epochs: 6 },
};
