/**
 * How a Winograd convolution is cut up. The image is a grid of 4x4 tiles; a line of tiles of one image is a strip, some strips
 * are a block of `T` tiles, and output channels come in groups. For one block and one group there are
 *
 *     V[36][input channels / 16][T][16]      transformed inputs; shared by all groups
 *     U[group][36][panel][input channel][panel width]      transformed weights, in the order they are read
 *     M[36][T][group width]      products, from 36 matrix products of T rows
 *
 * The 36 parts of each lie a cache line more than their size apart: at a power of two they would fall on one cache set.
 */
import { type Isa, lanesOf } from '../../codegen/index.ts';
import { blockChannels } from '../conv.ts';
import { type Expression } from '../expression.ts';
import { fewTasks, maxTasks, type StridedOperand } from '../nest.ts';
import { outputTile, products } from './transforms.ts';

export interface WinogradSpec {
  readonly name: string;
  readonly batch: number;
  readonly inChannels: number;
  readonly channels: number;
  readonly out: { readonly height: number; readonly width: number };
  /** Strides in elements of the blocked input; the pointer is at the first padded pixel, and whole tiles can be read. */
  readonly input: { readonly batch: number; readonly block: number; readonly height: number; readonly width: number };
  /** First leaf: the sums. */
  readonly after: Expression;
  /** Other leaves of `after`, then its one result; strides over [image, channel block, line, column, lane]. */
  readonly operands: readonly StridedOperand[];
}

export interface WinogradTiling {
  /** The register tile: tiles of the image by vectors of output channels. */
  readonly rows: number;
  readonly vectors: number;
  /** Strips in a block. */
  readonly strips: number;
  /** Blocks of 16 output channels in a group. */
  readonly groupBlocks: number;
  /** A task transforms the inputs of its blocks itself, for all groups; else a step before does, for all tasks. */
  readonly fused: boolean;
  /** A task transforms its group's weights itself, from those of a direct convolution, a fourth as many bytes; else they are constants. */
  readonly weightsHere: boolean;
}

export interface WinogradGeometry {
  readonly inBlocks: number;
  readonly tilesWide: number;
  readonly tilesHigh: number;
  readonly strips: number;
  readonly blocks: number;
  /** Tasks are `chunks` of blocks, with all groups where the tiling is fused, else for each group. */
  readonly chunks: number;
  /** Blocks in a chunk; the last may have fewer. */
  readonly chunk: number;
  /** Tiles of a block, up to whole register tiles. */
  readonly tiles: number;
  readonly groups: number;
  readonly groupWidth: number;
  readonly panelWidth: number;
  readonly panels: number;
  /** Bytes of one of the 36 parts, and of all. */
  readonly v: { readonly part: number; readonly block: number };
  readonly u: { readonly part: number; readonly group: number };
  /** Of one tap of a group's weights. */
  readonly weightBytes: number;
  readonly m: { readonly part: number; readonly block: number };
  /** Lines of a tile half transformed. */
  readonly half: number;
  /** Bytes that a task writes besides results: `half`, M, and V or U of its own. */
  readonly scratch: number;
}

const line = 64;

export type WinogradShape = Pick<WinogradSpec, 'batch' | 'inChannels' | 'channels' | 'out'>;

export function winogradGeometry(isa: Isa, spec: WinogradShape, tiling: WinogradTiling): WinogradGeometry {
  const inBlocks = Math.ceil(spec.inChannels / blockChannels);
  const tilesWide = Math.ceil(spec.out.width / outputTile);
  const tilesHigh = Math.ceil(spec.out.height / outputTile);
  const strips = spec.batch * tilesHigh;
  const tiles = Math.ceil((tiling.strips * tilesWide) / tiling.rows) * tiling.rows;
  const groupWidth = tiling.groupBlocks * blockChannels;
  const groups = Math.ceil(spec.channels / groupWidth);
  const blocks = Math.ceil(strips / tiling.strips);
  const most = tiling.weightsHere ? fewTasks : maxTasks;
  const chunk = Math.ceil(blocks / Math.max(1, Math.floor(most / (tiling.fused ? 1 : groups))));
  const panelWidth = tiling.vectors * lanesOf(isa, 'f32');
  const panels = groupWidth / panelWidth;
  const parts = (part: number) => ({ part, block: products * part });
  const v = parts(inBlocks * tiles * blockChannels * 4 + line);
  const m = parts(tiles * groupWidth * 4 + line);
  const weightBytes = spec.inChannels * groupWidth * 4;
  const uPart = weightBytes + line;
  const half = products * isa.vectorBytes;
  const scratch = Math.ceil((half + m.block + (tiling.fused ? v.block : 0) + (tiling.weightsHere ? products * uPart : 0)) / line) * line;
  return {
    inBlocks,
    tilesWide,
    tilesHigh,
    strips,
    blocks,
    chunks: Math.ceil(blocks / chunk),
    chunk,
    tiles,
    groups,
    groupWidth,
    panelWidth,
    panels,
    v,
    u: { part: uPart, group: products * uPart },
    weightBytes,
    m,
    half,
    scratch,
  };
}
