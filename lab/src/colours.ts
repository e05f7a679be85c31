/** A colour for each run, told apart by most eyes, on light and dark: after Okabe and Ito's palette, 2008. */
import type { RunSummary } from '../../src/lab/shared/index.ts';

const light = ['#0072b2', '#d55e00', '#00866a', '#a8488f', '#8a6d00', '#2f9bd8', '#b3273c', '#5b51c8', '#5c7a1f', '#7a5c49'];
const dark = ['#4fb0f0', '#ff8a3d', '#2fd0a5', '#e58ac4', '#e6c229', '#8fd3ff', '#ff7286', '#a79cff', '#a9d15c', '#d1ab92'];

export const isDark = (): boolean => {
  const { theme } = document.documentElement.dataset;
  return theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
};

/** By the order in which runs were started, so that a new run changes no other's colour. */
export function colourOf(name: string, runs: readonly RunSummary[]): string {
  const index = runs.length - 1 - runs.findIndex((run) => run.name === name);
  const palette = isDark() ? dark : light;
  return palette[index % palette.length];
}

/** With alpha, from 0 to 1. */
export const faded = (colour: string, alpha: number): string => `${colour}${Math.round(alpha * 255).toString(16).padStart(2, '0')}`;

/** A colour of the style sheet. */
export const ink = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
