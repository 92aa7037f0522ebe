import { posix } from 'node:path'
import { expect, it } from 'vitest'
import { contract, findings, readSource, sourceFiles, withoutComments, type SourceFile } from './source-file.js'

const native = sourceFiles(['native'], /\.(cc|h)$/)

/** llama.cpp's headers that are made for users, those of Node-API, and the system's. C++'s own have no ending. */
const publicHeaders = /^((llama|llama-cpp|gguf|mtmd|mtmd-helper|ggml(-[a-z]+)?|napi|node_api)\.h|[a-z_]+)$/
const systemHeaders = /^((dlfcn|fcntl|pthread|sched|unistd|windows|immintrin|arm_neon)\.h|(sys|mach)\/\w+\.h)$/

/**
 * Headers of llama.cpp's `common/` that we use, of ggml's CPU backend, which our kernels are part of, of decoders that
 * llama.cpp brings along, and of its own sources what trained heads need: inner states, and whether weights are there.
 * Each behind one file, so that an upgrade touches that file alone.
 */
const commonHeaders = [
  'chat-auto-parser.h',
  'chat.h',
  'ggml-cpu-impl.h',
  'imatrix-loader.h',
  'jinja/limits.h',
  'json-schema-to-grammar.h',
  'llama-ext.h',
  'llama-model.h',
  'miniaudio/miniaudio.h',
  'ngram-cache.h',
  'sampling.h',
  'speculative.h',
  'stb/stb_image.h',
]

interface Include {
  readonly path: string
  readonly name: string
  /** Quoted names are ours, names in angle brackets are everybody else's. */
  readonly own: boolean
}

function includesOf({ path, text }: SourceFile): Include[] {
  return [...text.matchAll(/^\s*#\s*include\s*(["<])([^">]+)/gm)].map((match) => ({
    path,
    name: match[2] ?? '',
    own: match[1] === '"',
  }))
}

contract("native code includes llama.cpp's public headers, and each of common/ behind one file", {
  files: native,
  breaches: (files) => {
    const all = [...native.filter(({ path }) => !files.some((file) => file.path === path)), ...files]
    const ours = new Set(all.map(({ path }) => path.replace(/^native\//, '')))
    const users = (name: string): Include[] =>
      all.flatMap(includesOf).filter((other) => other.name === name && !other.own)
    return files
      .flatMap(includesOf)
      .filter(({ path, name, own }) => {
        if (own) return !ours.has(name) && !ours.has(posix.join(posix.dirname(path), name).replace(/^native\//, ''))
        if (commonHeaders.includes(name)) return users(name).length > 1
        return !publicHeaders.test(name) && !systemHeaders.test(name)
      })
      .map(({ path, name }) => `${path} includes ${name}`)
  },
  breaks: [
    ['native/model.cc', '#include <llama-model.h>'],
    ['native/model.cc', '#include "../llama.cpp/source/src/llama-vocab.h"'],
    ['native/model.cc', '#include <common.h>'],
    ['native/model.cc', '#include <chat.h>'],
  ],
  keeps: [
    ['native/model.cc', '#include <llama.h>\n#include <ggml-backend.h>\n#include <string>\n#include "model.h"'],
    ['native/media.cc', '#include <speculative.h>'],
  ],
})

contract("llama.cpp's headers are included in native/ only", {
  files: sourceFiles(['lib', 'test', 'bench', 'examples', 'native'], /\.(c|cc|cpp|h|hpp)$/),
  breaches: (files) =>
    files
      .filter(({ path }) => !path.startsWith('native/'))
      .flatMap(includesOf)
      .filter(({ name }) => /^(llama|ggml|gguf|mtmd)/.test(name))
      .map(({ path, name }) => `${path} includes ${name}`),
  breaks: [['bench/step.cc', '#include "llama.h"']],
})

contract('native code throws where it could assert: an abort ends the whole process', {
  files: native,
  breaches: (files) =>
    findings(files, /\b(GGML_ASSERT|GGML_ABORT|ggml_abort|assert|abort|std::terminate|_?exit)\s*\(/g),
  breaks: [
    ['native/engine/loop.cc', 'assert(count > 0);'],
    ['native/engine/loop.cc', 'GGML_ASSERT(count > 0);'],
  ],
  keeps: [['native/engine/loop.cc', 'static_assert(sizeof(int) == 4); // assert(x)']],
})

contract('native code owns by handle: what is made has an owner in the same expression, and there are no macros', {
  // stb takes its allocator as macros, and frees what that gives it.
  files: native.filter(({ path }) => path !== 'native/media/picture.cc'),
  breaches: (files) =>
    findings(
      files,
      /(?<!_ptr<[\w ]+>\()\bnew [A-Za-z_:]+|(?<!= )\bdelete\b|\b(malloc|calloc|realloc)\(|^\s*#\s*define\s+\w+[( ].*/gm,
      (file) => withoutComments(file).replace(/"(?:\\.|[^"\\\n])*"/g, '""'),
    ),
  breaks: [
    ['native/model.cc', 'auto* model = new Model();'],
    ['native/model.cc', 'delete model;'],
    ['native/model.cc', 'auto* buffer = malloc(8);'],
    ['native/model.h', '#define CHECK(x) if (!(x)) return'],
  ],
  keeps: [
    ['native/model.h', 'Model(const Model&) = delete; // a new Model'],
    ['native/model.cc', 'return std::shared_ptr<const Model>(new Model(options));'],
    ['native/model.cc', 'throw Failure("ERR_DISPOSED", "no new request is taken");'],
    ['native/library.cc', '#define NOMINMAX\n#include <windows.h>'],
  ],
})

it.each([
  ['lib/native-types.ts', 'Addon', 10],
  ['lib/native-draft-types.ts', 'DraftAddon', 4],
  ['lib/native-embedder-types.ts', 'EmbedderAddon', 4],
  ['lib/native-quantize-types.ts', 'QuantizeAddon', 0],
  ['lib/native-schema-types.ts', 'SchemaAddon', 0],
])('the addon exports what %s declares, in the same order', (path, name, least) => {
  const mirror =
    new RegExp(`export interface ${name}(?: extends [\\w, ]+)? \\{([^]*?)\\n\\}`).exec(readSource(path))?.[1] ?? ''
  const declared = [...mirror.matchAll(/^ {2}(\w+)\(/gm)].map((match) => match[1])
  const addon = withoutComments({ path: 'native/addon.cc', text: readSource('native/addon.cc') })
  const exported = [...addon.matchAll(/"(\w+)"/g)].map((match) => match[1]).filter((name) => declared.includes(name))
  expect(declared.length).toBeGreaterThan(least)
  expect(exported).toEqual(declared)
})
