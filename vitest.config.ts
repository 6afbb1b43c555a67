import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/emulator/**', 'node_modules/**'],
    globalSetup: ['test/support/postgres-server.ts'],
    // Tests talk to real servers; a slow machine must not make a true result red.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most files wait for a server or a child process much of the time; one worker a core less one would leave cores idle.
    maxWorkers: Math.max(2, availableParallelism()),
  },
})
