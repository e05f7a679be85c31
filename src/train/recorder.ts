/** Recorder: where a training writes what a person may want to see of it. Whoever shows runs (the lab, a file) is one. */

/** A picture: RGB, RGBA or grey, by the length of its data. */
export interface RecordedImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/**
 * Names that `fit` writes: `epoch` (with its fraction), `loss/train`, `loss/validation`, a metric's name in place of `loss`,
 * `learning-rate`, `step-ms`, `gradient-norm` where gradients are clipped; histograms `weights/PARAMETER` and
 * `gradients/PARAMETER`. A run that is resumed writes the steps since its checkpoint again.
 */
export interface Recorder {
  log(values: Record<string, number>, step: number): void;
  histogram(name: string, values: Float32Array, step: number): void;
  image(name: string, image: RecordedImage, step: number): void;
  text(name: string, text: string, step: number): void;
}
