import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { requestRange } from '../../lib/transfer/byte-range.js'
import { serveFiles } from './file-server.js'

it('gives all that arrived before the line broke, however slowly it is read, and then the failure', async () => {
  const file = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7) & 255))
  const arriving = 150_000
  let tellBroken = () => {}
  const broken = new Promise<void>((resolve) => (tellBroken = resolve))
  await using server = await serveFiles({ '/file': file }, ({ response }) => {
    response.writeHead(206, {
      'content-length': file.length,
      'content-range': `bytes 0-${file.length - 1}/${file.length}`,
    })
    response.write(file.subarray(0, arriving), () => response.socket?.end(tellBroken))
  })
  const answer = await requestRange(new URL('/file', server.url), { start: 0 }, { settings: {} })
  const chunks: Uint8Array[] = []
  const reading = (async () => {
    for await (const chunk of answer!.body) {
      chunks.push(chunk)
      await broken
      await delay(50)
    }
  })()
  await expect(reading).rejects.toMatchObject({ code: 'ERR_REGISTRY', details: { reason: 'broken' } })
  expect(Buffer.concat(chunks).equals(file.subarray(0, arriving))).toBe(true)
})
