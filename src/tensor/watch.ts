/** What `detectAnomaly` notes while a function runs: where nodes were made, what was differentiated, what assignments replaced. */
import type { Node, Value } from '../graph/index.ts';
import type { Tensor } from './tensor.ts';

export interface Watch {
  /** Their stacks. */
  readonly sites: WeakMap<Node, Error>;
  /** Nodes that gradients are made of, and the node that each is a gradient of. */
  readonly origins: Map<Node, Node>;
  /** What `backward()` was called on. */
  readonly losses: Set<Value>;
  /** Leaves that got a gradient. */
  readonly graded: Set<Tensor>;
  /** Tensors that were assigned, and what they were before. */
  readonly before: Map<Tensor, Value>;
}

let current: Watch | undefined;
export const currentWatch = (): Watch | undefined => current;
export const setWatch = (watch: Watch | undefined): void => void (current = watch);
