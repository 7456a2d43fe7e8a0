import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'node',
    include: ['test/**/*.test.ts'],
    // Processes, not threads: tests start and kill servers, and the kernel ends those with the process that started them.
    pool: 'forks',
    maxWorkers: 2,
    // Longer than one wait of a test (test/support/eventually.ts), whose error says what was waited for.
    testTimeout: 180_000,
    hookTimeout: 240_000,
    teardownTimeout: 30_000,
    globalSetup: ['test/support/global-setup.ts'],
  },
});
