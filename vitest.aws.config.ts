import { defineConfig } from 'vitest/config'

/** `npm run test:aws`: needs the emulator that bin/test-aws.mjs installs, so it is not part of `npm test`. */
export default defineConfig({
  test: {
    include: ['test/emulator/**/*.test.ts'],
    globalSetup: ['test/support/postgres-server.ts'],
    testTimeout: 900_000,
    hookTimeout: 600_000,
    maxWorkers: 1,
  },
})
