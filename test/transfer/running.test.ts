import { getEventListeners } from 'node:events'
import { setFlagsFromString } from 'node:v8'
// eslint-disable-next-line no-restricted-imports -- the only way to the garbage collector from inside a process
import { runInNewContext } from 'node:vm'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { runTransfer } from '../../lib/transfer/running.js'

it('a transfer is stopped by a timeout that nobody else holds, also after a collection', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const transfer = runTransfer('pull', AbortSignal.timeout(200), ({ signal }) => {
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
  })
  await delay(20)
  collect()
  await expect(Promise.race([transfer.result, delay(3000)])).rejects.toMatchObject({ name: 'TimeoutError' })
})

it('a transfer leaves nothing behind at a signal that goes on', async () => {
  const { signal } = new AbortController()
  const listeners = () => getEventListeners(signal, 'abort').length
  const transfer = runTransfer('pull', signal, () => Promise.resolve(listeners()))
  expect(await transfer).toBe(1)
  expect(listeners()).toBe(0)
})
