import { contract, sourceFiles } from './source-file.js'

const limit = 400

/** Generated and table files may be longer. */
const exceptions: readonly string[] = []

contract(`no file is longer than ${String(limit)} lines`, {
  files: sourceFiles(['lib', 'native', 'test', 'bench', 'examples'], /\.(ts|js|mjs|cc|h|patch)$/),
  breaches: (files) =>
    files
      .map(({ path, text }) => ({ path, lines: text.replace(/\n$/, '').split('\n').length }))
      .filter(({ path, lines }) => lines > limit && !exceptions.includes(path))
      .map(({ path, lines }) => `${path}: ${String(lines)} lines`),
  breaks: [['lib/long.ts', '\n'.repeat(limit + 1)]],
  keeps: [['lib/full.ts', '\n'.repeat(limit)]],
})

contract('folders are named after a subject, not after a kind', {
  files: sourceFiles(['lib', 'native', 'test', 'bench'], /./),
  breaches: (files) =>
    files.map(({ path }) => path).filter((path) => /(^|\/)(utils?|helpers?|types?|misc)(\/|\.\w+$)/.test(path)),
  breaks: [
    ['lib/utils/text.ts', ''],
    ['lib/store/helpers.ts', ''],
  ],
  keeps: [['lib/native-types.ts', '']],
})
