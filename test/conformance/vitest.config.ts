import { defineConfig } from 'vitest/config';

/** `npm run conformance`: apart from the tests, since it needs Debian's libonnx-testdata and prints a table. */
export default defineConfig({
  test: {
    include: ['test/conformance/*.conformance.ts'],
    // Graphs are verified between all passes.
    env: { WHET_VERIFY: '1' },
    testTimeout: 600_000,
    pool: 'forks',
    fileParallelism: false,
    reporters: ['dot'],
  },
});
