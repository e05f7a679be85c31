import { defineConfig } from 'vitest/config';

export default defineConfig({
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
