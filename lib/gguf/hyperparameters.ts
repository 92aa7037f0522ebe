import { fullRotation, headless } from './architecture.js'
import { invalidModel, quoted } from './fault.js'
import { inRange, readBool, readF32, readNumbers, readPerLayer, readString, readU32, required } from './field.js'
import type { GgufFile } from './gguf-file.js'
import { limits } from './limits.js'

const most32 = 2 ** 32 - 1

/**
 * Holds the hyper-parameters against what llama.cpp asserts while it loads and builds its graphs. Shapes of tensors are
 * left to llama.cpp, which refuses them without dying.
 */
export function checkHyperparameters(file: GgufFile, architecture: string): void {
  const key = (name: string) => `${architecture}.${name}`
  const u32 = (name: string, least: number, most = most32) => {
    const value = readU32(file, key(name))
    return value === undefined ? undefined : inRange(key(name), value, least, most)
  }
  required(u32('context_length', 1, 2 ** 31 - 1), key('context_length'))
  const width = required(u32('embedding_length', 1, 2 ** 31 - 1), key('embedding_length'))
  const layers = required(u32('block_count', 1, limits.layers), key('block_count'))
  u32('nextn_predict_layers', 0, layers)
  u32('leading_dense_block_count', 0, layers)
  u32('pooling_type', 0, 4)
  readBool(file, key('attention.causal'))
  checkExperts(file, architecture, key, layers)
  checkHeads(file, architecture, key, layers, width)
  checkRope(file, key)
  checkFloats(file, architecture)
}

type Key = (name: string) => string

function checkExperts(file: GgufFile, architecture: string, key: Key, layers: number): void {
  const name = key('expert_count')
  const experts = inRange(name, readU32(file, name) ?? 0, 0, limits.experts)
  // llama.cpp takes one expert for none there, whatever else the file says.
  if (experts <= 1 && /^hunyuan(_vl|-dense)$/.test(architecture)) return
  const used = readPerLayer(file, key('expert_used_count'), layers) ?? [0]
  const mostUsed = used.reduce((most, count) => Math.max(most, count), 0)
  for (const count of used) inRange(key('expert_used_count'), count, 0, experts)
  if (experts > 0 && mostUsed === 0) {
    throw invalidModel(`${quoted(name)} is ${experts}, but ${quoted(key('expert_used_count'))} is 0.`, { key: name })
  }
  const groups = readU32(file, key('expert_group_count')) ?? 0
  const usedGroups = readU32(file, key('expert_group_used_count')) ?? 0
  if (groups > 0) inRange(key('expert_group_count'), groups, 0, Math.max(experts - 1, 0))
  if (groups > 1 && (experts % groups !== 0 || usedGroups < 1 || usedGroups >= groups)) {
    throw invalidModel(`${quoted(key('expert_group_count'))} is ${groups}, which does not divide ${experts} experts.`, {
      key: key('expert_group_count'),
    })
  }
}

function checkHeads(file: GgufFile, architecture: string, key: Key, layers: number, width: number): void {
  const name = key('attention.head_count')
  const heads = readPerLayer(file, name, layers) ?? Array<number>(layers).fill(0)
  const keyHeads = readPerLayer(file, key('attention.head_count_kv'), layers) ?? heads
  const first = heads[0] ?? 0
  if (file.metadata.get(name)?.type !== 'array' && first === 0 && !headless.has(architecture)) {
    throw invalidModel(`${quoted(name)} is missing or 0, but ${architecture} models have attention heads.`, {
      key: name,
    })
  }
  for (const [layer, count] of heads.entries()) {
    inRange(name, count, 0, 2 ** 20)
    const kv = inRange(key('attention.head_count_kv'), keyHeads[layer] ?? 0, 0, 2 ** 20)
    if (count > 0 && kv > 0 && count % kv !== 0) {
      throw invalidModel(
        `layer ${layer} has ${count} attention heads over ${kv} key heads; the second must divide the first.`,
        { key: name, layer },
      )
    }
  }
  const headWidth = headSize(file, key, 'key', width, first)
  const valueWidth = headSize(file, key, 'value', width, first)
  if (first === 0) return
  if (fullRotation.has(architecture)) {
    inRange(key('attention.value_length'), valueWidth, headWidth, headWidth)
    const rotated = readU32(file, key('rope.dimension_count')) ?? headWidth
    inRange(key('rope.dimension_count'), rotated, headWidth, headWidth)
  }
  rotates(file, key('rope.dimension_count'), headWidth)
  rotates(file, key('rope.dimension_count_swa'), readU32(file, key('attention.key_length_swa')) ?? headWidth)
}

function headSize(file: GgufFile, key: Key, what: 'key' | 'value', width: number, heads: number): number {
  const name = key(`attention.${what}_length`)
  const given = readU32(file, name)
  if (given !== undefined) return inRange(name, given, heads > 0 ? 1 : 0, 2 ** 20)
  if (heads > 0 && width % heads !== 0) {
    throw invalidModel(
      `an embedding of ${width} does not divide into ${heads} attention heads, and ${quoted(name)} is missing.`,
      {
        key: key('attention.head_count'),
      },
    )
  }
  return heads > 0 ? width / heads : 0
}

function rotates(file: GgufFile, name: string, headWidth: number): void {
  const dimensions = readU32(file, name)
  if (dimensions === undefined) return
  inRange(name, dimensions, 0, headWidth)
  if (dimensions % 2 !== 0)
    throw invalidModel(`${quoted(name)} is ${dimensions}; an even number was expected.`, { key: name })
}

function checkRope(file: GgufFile, key: Key): void {
  const type = readString(file, key('rope.scaling.type'))
  if (type !== undefined && !['none', 'linear', 'yarn', 'longrope'].includes(type)) {
    throw invalidModel(
      `${quoted(key('rope.scaling.type'))} is ${quoted(type)}; none, linear, yarn or longrope was expected.`,
      { key: key('rope.scaling.type') },
    )
  }
  for (const name of ['rope.freq_base', 'rope.freq_base_swa', 'rope.scaling.factor', 'rope.scale_linear']) {
    const value = readF32(file, key(name))
    if (value !== undefined) inRange(key(name), value, 0, Number.MAX_VALUE)
  }
  const sections = key('rope.dimension_sections')
  if (!file.metadata.has(sections)) return
  const sizes = Array.from((readNumbers(file, sections, ['int32', 'uint32']) ?? []) as Iterable<number>)
  if (sizes.length > 4 || sizes.some((size) => size < 0) || !sizes.slice(0, 3).some((size) => size > 0)) {
    throw invalidModel(`${quoted(sections)} is [${sizes.slice(0, 8).join(', ')}]; up to 4 sizes were expected.`, {
      key: sections,
    })
  }
}

/** A value that is no number survives until the first decode, which ends in an assertion. */
function checkFloats(file: GgufFile, architecture: string): void {
  const prefix = `${architecture}.`
  for (const [key, { type, value }] of file.metadata) {
    if (!key.startsWith(prefix) || type !== 'float32') continue
    const positive = key.endsWith('_epsilon')
    if (Number.isNaN(value) || (positive && !(value > 0 && value < Number.POSITIVE_INFINITY))) {
      throw invalidModel(
        `${quoted(key)} is ${value}; a ${positive ? 'finite number above 0' : 'number'} was expected.`,
        { key },
      )
    }
  }
}
