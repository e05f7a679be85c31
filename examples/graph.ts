/** The README's second example: a graph of one's own, run and exported. */
import { apply, compileModel, constant, exportOnnx, fromNumbers, type Graph, input } from 'whetstone';

const x = input('x', 'float32', [1, 3]);
const weights = constant(fromNumbers('float32', [3, 2], [1, 2, 3, 4, 5, 6]));
const y = apply('Softmax', [apply('MatMul', [x, weights])]);
const graph: Graph = { name: 'tiny', inputs: [{ name: 'x', value: x }], outputs: [{ name: 'y', value: y }] };

console.log(compileModel(graph).infer(fromNumbers('float32', [1, 3], [0.1, 0.2, 0.3])).y);
const onnx = exportOnnx(graph); // a Uint8Array that other runtimes read
console.log(onnx.length);
