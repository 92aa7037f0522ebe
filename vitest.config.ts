import { defineConfig } from 'vitest/config'

/** Tests that need neither the addon nor a model and are quick: `npm run check` runs these alone. */
const pure = [
  'test/{contracts,modelfile}/*.test.ts',
  'test/bench/!(random-llama|tool).test.ts',
  'test/chat/**/*.test.ts',
  'test/cli/{answer,formats,progress,statistics}.test.ts',
  'test/convert/{convert,element,refusals}.test.ts',
  'test/gguf/!(agreement).test.ts',
  'test/model/!(contract|*-native).test.ts',
  'test/store/!(crash|disk-full|processes|upkeep-crash).test.ts',
  'test/transfer/{byte-range,download,https,hub-files,reference,zip}.test.ts',
]

export default defineConfig({
  test: {
    // Each test file gets a process of its own: the addon is loaded once per process, and a crash names its file.
    pool: 'forks',
    maxWorkers: 2,
    globals: false,
    // Two slow, shared cores are the machine to be right on; a hang is still found.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
    projects: [
      { extends: true, test: { name: 'pure', include: pure } },
      {
        extends: true,
        test: {
          name: 'engine',
          include: ['test/**/*.test.ts'],
          exclude: pure,
          setupFiles: ['test/support/addon-under-test.ts'],
        },
      },
    ],
  },
})
