// @ts-check
/** onnxruntime's native CPU provider with all its optimisations, and the threads it is told. */
import * as ort from 'onnxruntime-node';
import { openSession } from './onnxruntime.mjs';

/** @type {import('../types.ts').Backend['open']} */
export const open = (request) =>
  openSession(ort, request, { executionProviders: ['cpu'], intraOpNumThreads: request.threads, interOpNumThreads: 1 }, { intoFetches: true });
