import { openModel, type Model, type ModelOptions } from '../lib/model/index.js'
import { nativeAddon, type Addon } from '../lib/native.js'
import { kernels } from './computing.js'
import { threads } from './scenario.js'

/** Runs `use` with the model open, as a program would open it, with two threads. */
export async function withModel<Value>(
  path: string,
  options: ModelOptions,
  use: (model: Model) => Promise<Value>,
  addon: Addon = nativeAddon(),
): Promise<Value> {
  const model = await openModel({ path }, { threads, kernels: kernels(), ...options }, addon)
  try {
    return await use(model)
  } finally {
    await model.close()
  }
}

/** The addon, but with decodes of at most so many tokens; only where a measurement needs a boundary there. */
export function withBatchSize(batchSize: number): Addon {
  const addon = nativeAddon()
  return {
    ...addon,
    engineCreate: (model, options, onNews, draft) =>
      addon.engineCreate(model, { ...options, batchSize }, onNews, draft),
  }
}
