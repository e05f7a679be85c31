/**
 * Pictures as PNG, at once: a training loop that never awaits gives no other thread a turn to hand a result back, and what it logs must
 * be on disk while it runs. https://www.w3.org/TR/png-3/
 */
import { crc32, deflateSync } from 'node:zlib';

/** height x width x channels, as `Image` of whetstone/vision has it. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
  readonly data: Uint8Array | Uint8ClampedArray;
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const colourTypes = { 1: 0, 3: 2, 4: 6 } as const;
const subtractLeft = 1;

function chunk(type: string, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(12 + body.length);
  bytes.writeUInt32BE(body.length, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(body, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + body.length)), 8 + body.length);
  return bytes;
}

export function encodePng({ width, height, channels, data }: Pixels): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, colourTypes[channels], 0, 0, 0], 8);
  const stride = width * channels;
  // Each row begins with its filter: what is left of a sample is taken off it, which makes smooth pictures small.
  const rows = new Uint8Array(height * (stride + 1));
  for (let y = 0; y < height; y++) {
    const to = y * (stride + 1);
    const from = y * stride;
    rows[to] = subtractLeft;
    for (let i = 0; i < stride; i++) rows[to + 1 + i] = data[from + i] - (i < channels ? 0 : data[from + i - channels]);
  }
  return Buffer.concat([Uint8Array.from(signature), chunk('IHDR', header), chunk('IDAT', deflateSync(rows, { level: 4 })), chunk('IEND', new Uint8Array(0))]);
}

/** Each `factor` x `factor` block of samples becomes its mean; blocks at the far edges may be smaller. */
export function shrink({ width, height, channels, data }: Pixels, factor: number): Pixels {
  const [w, h] = [Math.ceil(width / factor), Math.ceil(height / factor)];
  const out = new Uint8Array(w * h * channels);
  for (let y = 0; y < h; y++) {
    const yEnd = Math.min(height, (y + 1) * factor);
    for (let x = 0; x < w; x++) {
      const xEnd = Math.min(width, (x + 1) * factor);
      const samples = (yEnd - y * factor) * (xEnd - x * factor);
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let v = y * factor; v < yEnd; v++) for (let u = x * factor; u < xEnd; u++) sum += data[(v * width + u) * channels + c];
        out[(y * w + x) * channels + c] = Math.round(sum / samples);
      }
    }
  }
  return { width: w, height: h, channels, data: out };
}
