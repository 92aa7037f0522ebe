import { posix } from 'node:path'
import ts from 'typescript'
import { contract, readSource, sourceFiles, type SourceFile } from './source-file.js'

/** Which rooms of lib/ a room may import. Whatever is not listed is forbidden. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  'make-directory': [],
  'native-policy-types': [],
  'native-cache-types': [],
  'native-types': ['errors', 'native-cache-types', 'native-policy-types'],
  native: ['errors', 'native-types'],
  chat: ['errors', 'native-types'],
  gguf: ['errors'],
  convert: ['errors', 'gguf'],
  parameters: [],
  modelfile: ['errors', 'parameters'],
  model: ['errors', 'make-directory', 'native-types', 'native', 'chat', 'parameters'],
  store: ['errors', 'make-directory', 'chat', 'gguf', 'modelfile'],
  transfer: ['errors', 'make-directory', 'store'],
  create: ['errors', 'chat', 'gguf', 'convert', 'modelfile', 'store', 'transfer', 'runtime'],
  runtime: ['errors', 'make-directory', 'native', 'gguf', 'parameters', 'model', 'store', 'transfer'],
  http: ['errors', 'model', 'store', 'transfer', 'runtime'],
  cli: ['errors', 'model', 'store', 'transfer', 'create', 'runtime', 'http'],
  index: ['errors', 'chat', 'gguf', 'model', 'store', 'transfer', 'create', 'runtime'],
}

/** Packages and parts of Node that only some rooms may use. */
const reserved: Readonly<Record<string, readonly string[]>> = {
  '@cfworker/json-schema': ['chat'],
  commander: ['cli'],
  'node-gyp-build': ['native'],
  'tar-stream': ['transfer'],
  'node:child_process': ['transfer', 'runtime'],
  'node:dgram': [],
  'node:dns': ['transfer'],
  'node:http': ['transfer', 'http'],
  'node:http2': [],
  'node:https': ['transfer', 'http'],
  'node:net': ['transfer', 'http'],
  'node:readline': ['cli'],
  'node:tls': ['transfer', 'http'],
  'node:vm': [],
}

const dependencies = Object.keys((JSON.parse(readSource('package.json')) as { dependencies: object }).dependencies)

function roomOf(path: string): string {
  const [first = '', ...rest] = path.replace(/^lib\//, '').split('/')
  if (rest.length > 0) return first
  return first.replace(/\.ts$/, '').replace(/^native-\w+-types$/, 'native-types')
}

function importsOf({ path, text }: SourceFile): string[] {
  const spawned = [...text.matchAll(/new URL\('(\.[^']+)'/g)].map((match) => match[1] ?? '')
  const imported = ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName)
  return [...imported, ...spawned].map((name) => (name.startsWith('.') ? posix.join(posix.dirname(path), name) : name))
}

function breach(file: SourceFile, target: string): string | undefined {
  const room = roomOf(file.path)
  const allowed = arrows[room]
  if (allowed === undefined) return 'is in no room that the table knows'
  if (target.startsWith('lib/')) {
    const other = roomOf(target.replace(/\.js$/, '.ts'))
    return other === room || allowed.includes(other) ? undefined : `${room} must not know ${other}`
  }
  const users = reserved[target.replace(/\/promises$/, '')]
  if (users !== undefined) return users.includes(room) ? undefined : `${room} must not use it`
  if (target.startsWith('node:')) return undefined
  if (!/^[@a-z]/.test(target)) return undefined
  return dependencies.includes(target) ? undefined : 'is not among the dependencies'
}

contract('imports follow the arrows between rooms', {
  files: sourceFiles(['lib'], /\.ts$/),
  breaches: (files) =>
    files.flatMap((file) =>
      ['', ...importsOf(file)].flatMap((target) => {
        const reason = breach(file, target)
        return reason === undefined ? [] : [`${file.path} → ${target}: ${reason}`]
      }),
    ),
  breaks: [
    ['lib/model/model.ts', `import { Store } from '../store/index.js'`],
    ['lib/store/store.ts', `import type { Model } from '../model/index.js'`],
    ['lib/gguf/header.ts', `import { nativeAddon } from '../native.js'`],
    ['lib/gguf/header.ts', `export * from '../index.js'`],
    ['lib/gguf/header.ts', `import { convert } from '../convert/index.js'`],
    ['lib/convert/plan.ts', `import { Store } from '../store/index.js'`],
    ['lib/native.ts', `const { load } = await import('./runtime/index.js')`],
    ['lib/errors.ts', `import { nativeAddon } from './native.js'`],
    ['lib/chat/template.ts', `const child = new URL('../runtime/probe-child.js', import.meta.url)`],
    ['lib/chat/render.ts', `import { nativeAddon } from '../native.js'`],
    ['lib/parameters.ts', `import { LlameroError } from './errors.js'`],
    ['lib/modelfile/recipe.ts', `import { parseName } from '../store/index.js'`],
    ['lib/utils/text.ts', ''],
    ['lib/store/blob.ts', `import { connect } from 'node:net'`],
    ['lib/model/model.ts', `import { spawn } from 'node:child_process'`],
    ['lib/runtime/load.ts', `import { Command } from 'commander'`],
    ['lib/store/store.ts', `import { extract } from 'tar-stream'`],
    ['lib/model/model.ts', `import fc from 'fast-check'`],
  ],
  keeps: [
    ['lib/model/model.ts', `import { LlameroError } from '../errors.js'\nimport { part } from './part.js'`],
    ['lib/native.ts', `import type { Addon } from './native-types.js'`],
  ],
})
