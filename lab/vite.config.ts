/** Builds the page that `whet lab` serves. */
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: { outDir: '../dist/lab/page', emptyOutDir: true, target: 'es2023', modulePreload: false, assetsInlineLimit: 0 },
  logLevel: 'warn',
});
