// @ts-check
/**
 * onnxruntime's WebAssembly provider in Node: the only binary it ships has SIMD, and threads where there is a SharedArrayBuffer, as
 * there is here.
 */
import * as ort from 'onnxruntime-web';
import { openSession } from './onnxruntime.mjs';

/** @type {import('../types.ts').Backend['open']} */
export function open(request) {
  ort.env.wasm.numThreads = request.threads;
  ort.env.wasm.proxy = false;
  return openSession(ort, request, { executionProviders: ['wasm'] }, { intoFetches: false }); // it leaves them as they are (1.30)
}
