import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/postgres-server.ts'],
    // Tests talk to real servers; a slow machine must not make a true result red.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
