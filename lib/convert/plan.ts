import { layoutGguf, type GgufLayout } from '../gguf/header-writer.js'
import type { GgufValue } from '../gguf/value.js'
import { isElementType, type ElementType } from './element.js'
import { families } from './families/index.js'
import type { Family, TensorRule } from './families/family.js'
import { invalidSource, quoted, unsupportedSource } from './fault.js'
import type { Fields } from './json.js'
import { limits } from './limits.js'
import { text, u32, type Entries } from './metadata.js'
import { planTensor, type PlannedTensor } from './planned-tensor.js'
import { poolingEntries } from './pooling.js'
import type { SourceTensor } from './safetensors.js'
import type { SourceDirectory } from './source-directory.js'
import type { TokenTable } from './tokenizer/token-table.js'
import { bareName, targetOf } from './tensor-names.js'
import { readVocabulary } from './tokenizer/vocabulary.js'
import type { WeightFiles } from './weight-files.js'

/** The new file, laid out and not yet written. */
export interface ConversionPlan {
  readonly architecture: string
  /** Of the matrices; norms, biases and tables are F32. */
  readonly type: ElementType
  readonly tensors: readonly PlannedTensor[]
  readonly layout: GgufLayout
  /** Tensors of the source that the new file does not have. */
  readonly skipped: readonly string[]
}

/** `general.file_type` of each type, after `llama_ftype` in `llama.h`. */
const fileTypes: Readonly<Record<ElementType, number>> = { F32: 0, F16: 1, BF16: 32 }

/** Reads what a folder says of its model and decides where each number goes; no weights are read. */
export async function planConversion(
  directory: SourceDirectory,
  weights: WeightFiles,
  chosenType: ElementType | undefined,
): Promise<ConversionPlan> {
  const document = await directory.json('config.json')
  if (document === undefined) throw invalidSource("the folder has no 'config.json'; fetch the whole model.")
  const family = familyOf(document)
  // Models that also see keep what their language part needs in an object of its own.
  const config = document.object('text_config')?.over(document) ?? document
  refuseQuantised(config)
  const entries = family.metadata(config)
  const layers = entries['block_count']?.value as number
  const { placed, skipped } = placeTensors(family, config, weights, layers)
  const type = chosenType ?? commonType(placed)
  const embedding = placed.find(({ rule }) => rule.to === 'token_embd.weight')?.source
  const rows = embedding?.shape[0] ?? 0
  if (rows < 2 || rows > limits.tokens) {
    throw invalidSource(`the embedding has ${rows} rows; 2 to ${limits.tokens} are read, one for each token.`)
  }
  const vocabulary = await readVocabulary(directory, rows, config)
  const tensors: PlannedTensor[] = [
    ...(family.computed?.(config) ?? []).map(({ name, values }) => ({
      name,
      type: 'F32' as const,
      dimensions: [values.length],
      data: values,
    })),
    ...placed.map(({ source, rule, name }) =>
      planTensor(source, {
        name,
        type: source.shape.length < 2 || rule.exact === true ? 'F32' : type,
        shift: rule.plusOne === true ? 1 : 0,
        headRows: rule.pairs === true ? (family.headWidth?.(config) ?? 0) : 0,
      }),
    ),
  ]
  const metadata = new Map<string, GgufValue>()
  const put = (all: Entries, prefix = '') => {
    for (const [key, value] of Object.entries(all)) if (value !== undefined) metadata.set(prefix + key, value)
  }
  put({
    'general.architecture': text(family.name),
    'general.type': text('model'),
    'general.name': text(modelName(directory.title, family, vocabulary.table)),
    'general.file_type': u32(fileTypes[type]),
    'general.quantization_version': u32(2),
  })
  put({ vocab_size: u32(rows), ...entries, ...(await poolingEntries(directory)) }, `${family.name}.`)
  put(vocabulary.entries)
  return { architecture: family.name, type, tensors, layout: layoutGguf(metadata, tensors), skipped }
}

function familyOf(config: Fields): Family {
  const [architecture] = config.array('architectures') ?? []
  if (typeof architecture !== 'string') throw invalidSource("'config.json' names no architecture.")
  const family = families.find(({ architectures }) => architectures.includes(architecture))
  if (family !== undefined) return family
  const known = families.flatMap(({ architectures }) => architectures).join(', ')
  throw unsupportedSource(`its architecture ${quoted(architecture)} is not among those that are converted: ${known}.`, {
    architecture,
  })
}

function refuseQuantised(config: Fields): void {
  const method = config.object('quantization_config')?.string('quant_method')
  if (method === undefined) return
  throw unsupportedSource(`its weights are quantised by ${quoted(method)}; convert the model that they were made from.`)
}

/** Tokens that llama.cpp looks up in a model whose name is that of Phi 3. */
const phi3Tokens = ['<unk>', '<s>', '</s>', '<|endoftext|>']

/**
 * The folder's name. llama.cpp lets the special tokens of a model named Phi 3 swallow blanks behind them, and refuses one
 * of that name without some of them, so that the name must be true.
 */
function modelName(title: string, family: Family, table: TokenTable): string {
  const isPhi3 = family.name === 'phi3' && phi3Tokens.every((token) => table.idOf(token) !== undefined)
  if (isPhi3) return /phi-?3/i.test(title) ? title : `Phi-3 ${title}`
  return title.replace(/(phi)-?(?=3)/gi, '$1 ')
}

interface PlacedTensor {
  readonly source: SourceTensor
  readonly rule: TensorRule
  readonly name: string
}

/** Finds the rule of each tensor, and refuses tensors without one and rules without a tensor. */
function placeTensors(
  family: Family,
  config: Fields,
  weights: WeightFiles,
  layers: number,
): { readonly placed: readonly PlacedTensor[]; readonly skipped: readonly string[] } {
  const tied = config.boolean('tie_word_embeddings')
  const skipped: string[] = []
  const found = new Map<string, PlacedTensor>()
  for (const source of weights.tensors.values()) {
    const bare = bareName(source.name)
    const target = targetOf(family, bare, layers)
    const copy = target?.name === 'output.weight' && tied === true
    if (copy || (target === undefined && family.ignored.some((start) => bare.includes(start)))) {
      skipped.push(source.name)
    } else if (target === undefined) {
      throw unsupportedSource(
        `the tensor ${quoted(source.name)} is none that ${family.name} models have here; without it the answers would ` +
          'be wrong.',
        { tensor: source.name },
      )
    } else if (found.has(target.name)) {
      throw invalidSource(
        `the tensors ${quoted(source.name)} and ${quoted(found.get(target.name)?.source.name ?? '')} are one.`,
      )
    } else found.set(target.name, { source, ...target })
  }
  const placed = expectedNames(family, layers).flatMap(({ name, rule }) => {
    const tensor = found.get(name)
    if (tensor !== undefined) return [tensor]
    if (rule.optional === true && !(name === 'output.weight' && tied === false)) return []
    throw invalidSource(`the weights for ${quoted(name)} are missing; fetch all files of the model.`, { tensor: name })
  })
  return { placed, skipped }
}

function expectedNames(family: Family, layers: number): { readonly name: string; readonly rule: TensorRule }[] {
  return [
    ...Object.values(family.outer).map((rule) => ({ name: rule.to, rule })),
    ...Array.from({ length: layers }, (_, layer) =>
      Object.values(family.layer).map((rule) => ({ name: `blk.${layer}.${rule.to}`, rule })),
    ).flat(),
  ]
}

/** The type of the first matrix; F16 where that is F32, as others convert. */
function commonType(placed: readonly PlacedTensor[]): ElementType {
  const type = placed.find(({ source }) => source.shape.length === 2)?.source.type ?? 'F16'
  return isElementType(type) && type !== 'F32' ? type : 'F16'
}
