/** Reverse-mode differentiation: from values to graph nodes that compute their gradients, to be differentiated again at will. */
export { type Differentiated, gradients, noteGradients } from './gradients.ts';
