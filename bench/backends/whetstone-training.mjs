// @ts-check
/** A training step of ours, compiled: traced once, from then on one program. */
import { compile } from '../../dist/index.js';
import { openTraining } from '../train-step.mjs';

/** @type {import('../types.ts').Backend['open']} */
export const open = (request) => openTraining(request, compile);
