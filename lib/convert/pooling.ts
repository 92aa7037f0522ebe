import { unsupportedSource } from './fault.js'
import { Fields, parseJson } from './json.js'
import { limits } from './limits.js'
import { u32, type Entries } from './metadata.js'
import type { SourceDirectory } from './source-directory.js'

/** llama.cpp's numbers for how vectors of tokens become one, by the names of Sentence Transformers. */
const poolings: Readonly<Record<string, number>> = {
  __proto__: null as never,
  pooling_mode_mean_tokens: 1,
  pooling_mode_cls_token: 2,
  pooling_mode_lasttoken: 3,
  mean: 1,
  cls: 2,
  lasttoken: 3,
}

/** How a model of Sentence Transformers pools, after its `modules.json`; nothing for other models. */
export async function poolingEntries(directory: SourceDirectory): Promise<Entries> {
  const bytes = await directory.read('modules.json', limits.jsonBytes)
  const modules = bytes === undefined ? [] : parseJson(bytes, "'modules.json'")
  const module = (Array.isArray(modules) ? modules : [])
    .map((value) => new Fields(value, "a module in 'modules.json'"))
    .find((fields) => fields.string('type')?.endsWith('Pooling'))
  if (module === undefined) return {}
  const folder = module.required('path', module.string('path'))
  const config = await directory.json(`${folder}/config.json`)
  if (config === undefined) return {}
  const chosen =
    config.string('pooling_mode') ??
    config
      .keys()
      .filter((key) => config.raw(key) === true)
      .join()
  const pooling = poolings[chosen.split(',').find((name) => name.startsWith('pooling_mode_')) ?? chosen]
  if (pooling === undefined || chosen.split(',').filter((name) => name.startsWith('pooling_mode_')).length > 1) {
    throw unsupportedSource(`it pools by '${chosen}'; the mean, the first or the last token is what llama.cpp takes.`)
  }
  return { pooling_type: u32(pooling) }
}
