import { defineConfig } from 'vitest/config';

/** `npm run conformance`: apart from the tests, since it needs Debian's libonnx-testdata and prints a table. */
export default defineConfig({
  test: {
    include: ['test/conformance/*.conformance.ts'],
    testTimeout: 600_000,
    pool: 'forks',
    fileParallelism: false,
    reporters: ['dot'],
  },
});
