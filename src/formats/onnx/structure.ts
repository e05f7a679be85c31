/** What must hold of a file's graph before anything is made of it: names, order, known operators. */
import { FormatError } from '../errors.ts';
import type { Proto } from './schema.ts';
import { canExpress } from './upgrades.ts';

export type NodeProto = Proto<'NodeProto'>;
export type FunctionProto = Proto<'FunctionProto'>;

/** The nodes of a graph, a branch or a function, and the names they may use. */
export interface Body {
  readonly nodes: readonly NodeProto[];
  /** Values known before the first node: inputs and initializers. */
  readonly known: Iterable<string>;
  readonly outputs: readonly string[];
}

/** A node as messages name it. */
export const labelOf = (node: NodeProto): string => {
  const name = node.name || node.output.find((output) => output !== '') || '';
  return name === '' ? opLabel(node) : `${opLabel(node)} '${name}'`;
};

export const isDefaultDomain = (domain: string | undefined): boolean => !domain || domain === 'ai.onnx';
const opLabel = (node: NodeProto): string => (isDefaultDomain(node.domain) ? '' : `${node.domain}.`) + (node.op_type ?? '');

/** Functions of the model by domain, name and overload. */
export const functionKey = ({ domain, overload }: { domain?: string; overload?: string }, name: string | undefined): string =>
  `${isDefaultDomain(domain) ? '' : domain}:${name ?? ''}:${overload ?? ''}`;

/**
 * Checks that every name is given once and used after it was given.
 * @throws FormatError naming the node, and the way round where there is a cycle.
 */
export function checkNames({ nodes, known, outputs }: Body, isOuter: (name: string) => boolean, file?: string): void {
  const given = new Set(known);
  const makers = new Map<string, NodeProto>();
  for (const node of nodes) {
    for (const output of node.output) {
      if (output === '') continue;
      if (given.has(output) || makers.has(output)) {
        const other = makers.get(output);
        throw new FormatError(labelOf(node), {
          file,
          expected: 'a new name for each result',
          got: `'${output}', which ${other ? labelOf(other) : 'an input or initializer'} already has`,
        });
      }
      makers.set(output, node);
    }
  }
  for (const node of nodes) {
    for (const input of node.input) {
      if (input === '' || given.has(input)) continue;
      if (makers.has(input)) throw outOfOrder(node, input, makers, file);
      if (!isOuter(input)) throw new FormatError(labelOf(node), { file, expected: `a value '${input}'`, got: 'none of this name in the graph' });
    }
    for (const output of node.output) given.add(output);
  }
  for (const output of outputs) {
    if (!given.has(output) && !isOuter(output)) {
      throw new FormatError('graph outputs', { file, expected: `a value '${output}'`, got: 'none of this name in the graph' });
    }
  }
}

/** A node uses a value made later: either the two depend on each other, or the file is badly ordered. */
function outOfOrder(node: NodeProto, input: string, makers: ReadonlyMap<string, NodeProto>, file?: string): FormatError {
  const cameFrom = new Map<NodeProto, NodeProto | undefined>([[makers.get(input)!, undefined]]);
  const queue = [makers.get(input)!];
  for (let at = 0; at < queue.length && !cameFrom.has(node); at++) {
    for (const name of queue[at].input) {
      const maker = makers.get(name);
      if (maker && !cameFrom.has(maker)) {
        cameFrom.set(maker, queue[at]);
        queue.push(maker);
      }
    }
  }
  if (!cameFrom.has(node)) {
    return new FormatError(labelOf(node), {
      file,
      expected: 'nodes in topological order',
      got: `'${input}', which ${labelOf(makers.get(input)!)} makes later`,
      hint: 'sort the nodes of the model',
    });
  }
  const way: string[] = [];
  for (let at: NodeProto | undefined = node; at; at = cameFrom.get(at)) way.push(labelOf(at));
  const shown = way.length > 8 ? [...way.slice(0, 4), '...', ...way.slice(-3)] : way;
  return new FormatError('graph', { file, expected: 'no cycles', got: [...shown, labelOf(node)].join(' -> ') });
}

/** How many nodes of one unsupported operator are named. */
const namedNodes = 5;

/** @throws FormatError listing every operator that cannot be expressed, with the nodes that use it. */
export function checkOperators(nodes: readonly NodeProto[], functions: ReadonlyMap<string, FunctionProto>, file?: string): void {
  const unsupported = new Map<string, string[]>();
  const seen = new Set<FunctionProto>();
  const visit = (nodes: readonly NodeProto[]) => {
    for (const node of nodes) {
      const local = functions.get(functionKey(node, node.op_type));
      if (local) {
        if (seen.has(local)) continue;
        seen.add(local);
        pending.push(local.node);
      } else if (!isSupported(node)) {
        const users = unsupported.get(opLabel(node)) ?? [];
        unsupported.set(opLabel(node), users);
        users.push(node.name || node.output[0] || '(unnamed)');
      }
    }
  };
  const pending = [nodes];
  for (let next = pending.pop(); next; next = pending.pop()) visit(next);
  if (unsupported.size === 0) return;
  const list = [...unsupported].sort(([a], [b]) => (a < b ? -1 : 1)).map(([op, users]) => {
    const more = users.length > namedNodes ? `, and ${users.length - namedNodes} more` : '';
    return `${op || '(no operator)'} (${users.slice(0, namedNodes).join(', ')}${more})`;
  });
  throw new FormatError('operators', { file, expected: 'operators that Whetstone has', got: list.join('; ') });
}

function isSupported(node: NodeProto): boolean {
  const op = node.op_type ?? '';
  return isDefaultDomain(node.domain) && (op === 'If' || canExpress(op));
}
