import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nativeAddon } from '../../lib/native.js'
import type { NativeModel, NativeTextPart } from '../../lib/native.js'

const directory = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'llama.cpp', 'source', 'models')
const prefix = 'ggml-vocab-'

/** The vocabularies in llama.cpp's sources. */
export function vocabularyNames(): string[] {
  const names = readdirSync(directory).filter((file) => file.startsWith(prefix) && file.endsWith('.gguf'))
  return names.map((file) => file.slice(prefix.length, -'.gguf'.length)).sort()
}

export function vocabularyPath(name: string): string {
  return join(directory, `${prefix}${name}.gguf`)
}

/** The inputs that llama.cpp ships with a vocabulary, and the tokens that they must become. */
export function vocabularyCases(name: string): { readonly input: string; readonly tokens: readonly number[] }[] {
  const read = (kind: string) => readFileSync(`${vocabularyPath(name)}.${kind}`, 'utf8')
  const inputs = read('inp').split('\n__ggml_vocab_test__\n')
  const lines = read('out').split('\n').slice(0, -1)
  if (inputs.at(-1) === '' && inputs.length === lines.length + 1) inputs.pop()
  if (inputs.length !== lines.length) throw new Error(`${name} has ${inputs.length} inputs and ${lines.length} results`)
  return inputs.map((input, index) => ({
    input,
    tokens: (lines[index] ?? '')
      .split(' ')
      .filter((id) => id !== '')
      .map(Number),
  }))
}

export async function tokenize(model: NativeModel, ...parts: (string | NativeTextPart)[]): Promise<number[]> {
  const given = parts.map((part) => (typeof part === 'string' ? { text: part, trusted: false } : part))
  return [...(await nativeAddon().tokenize(model, given, { addSpecial: false }))]
}

export function detokenize(model: NativeModel, tokens: readonly number[], renderSpecial = true): Promise<string> {
  return nativeAddon().detokenize(model, Int32Array.from(tokens), { removeSpecial: false, renderSpecial })
}

/** Tokens without a text of their own, by id, with the text that stands for them in a template. */
export async function controlTokens(model: NativeModel): Promise<Map<number, string>> {
  const addon = nativeAddon()
  const found = new Map<number, string>()
  const { vocabularySize } = addon.modelInfo(model)
  for (let id = 0; id < vocabularySize; id++) {
    if (addon.piece(model, id).length > 0) continue
    const text = await detokenize(model, [id])
    if (text !== '') found.set(id, text)
  }
  return found
}
