// @ts-check
/** A training step of ours as it is written, its expression built anew in each step. */
import { openTraining } from '../train-step.mjs';

/** @type {import('../types.ts').Backend['open']} */
export const open = (request) => openTraining(request, (step) => step);
