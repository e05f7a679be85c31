import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

const manifest: { exports: Record<string, { default: string }> } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
/** The package by its own name, as examples import it: its sources rather than what was built of them. */
const itself = Object.entries(manifest.exports).map(([path, { default: built }]) => ({
  find: new RegExp(`^whetstone${path.slice(1)}$`),
  replacement: new URL(built.replace(/^\.\/dist\/(.*)\.js$/, 'src/$1.ts'), import.meta.url).pathname,
}));

export default defineConfig({
  resolve: { alias: itself },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['test/conformance/**'],
    // Graphs are verified between all passes.
    env: { WHET_VERIFY: '1' },
    testTimeout: 60_000,
    // Two cores; a test that starts a thread pool wants them both.
    maxWorkers: 2,
  },
});
