import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startProgram } from '../support/child-program.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { tinyConfig, tinySource, withHeader } from './tiny-source.js'

const directory = temporaryDirectory()
const width = 2048
const feedForward = 8192

/** A file of zeros that takes no room on the disk. */
async function sparseWeights(path: string): Promise<number> {
  const shapes: [string, number[]][] = [
    ['embed_tokens.weight', [257, width]],
    ['norm.weight', [width]],
  ]
  for (const layer of [0, 1]) {
    const name = (rest: string) => `layers.${layer}.${rest}.weight`
    shapes.push(
      [name('input_layernorm'), [width]],
      [name('post_attention_layernorm'), [width]],
      [name('self_attn.q_proj'), [width, width]],
      [name('self_attn.k_proj'), [width, width]],
      [name('self_attn.v_proj'), [width, width]],
      [name('self_attn.o_proj'), [width, width]],
      [name('mlp.gate_proj'), [feedForward, width]],
      [name('mlp.up_proj'), [feedForward, width]],
      [name('mlp.down_proj'), [width, feedForward]],
    )
  }
  let offset = 0
  const entries = shapes.map(([name, shape]) => {
    const begin = offset
    offset += shape.reduce((product, size) => product * size, 4)
    return [`model.${name}`, { dtype: 'F32', shape, data_offsets: [begin, offset] }]
  })
  const header = withHeader(JSON.stringify(Object.fromEntries(entries)), Buffer.alloc(0))
  await writeFile(path, header)
  await truncate(path, header.length + offset)
  return offset
}

it('takes no more memory than some buffers, however large the model', async () => {
  const config = {
    ...tinyConfig,
    hidden_size: width,
    intermediate_size: feedForward,
    num_attention_heads: 16,
    num_key_value_heads: 16,
  }
  const folder = await tinySource(directory.path, { 'config.json': config, 'model.safetensors': undefined })
  const sizeBytes = await sparseWeights(join(folder, 'model.safetensors'))
  expect(sizeBytes).toBeGreaterThan(500e6)
  const child = startProgram(new URL('memory-child.ts', import.meta.url), [folder])
  const { stdout, stderr, code } = await child.result
  expect(code, stderr).toBe(0)
  const found = JSON.parse(stdout) as { sizeBytes: number; growth: number }
  expect(found.sizeBytes).toBeGreaterThan(sizeBytes / 2)
  expect(found.growth).toBeLessThan(128e6)
}, 120_000)
