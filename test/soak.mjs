// What is tried too seldom in the test suite, by the hundred thousand: npm run soak. Some half an hour on two cores.
import { spawnSync } from 'node:child_process'

const root = new URL('..', import.meta.url)
const campaigns = [
  ['headers of GGUF files', ['tsx', 'test/gguf/header-campaign.ts', '1000000']],
  ['Modelfiles', ['tsx', 'test/modelfile/campaign.ts', '100000']],
  ['names, digests and manifests', ['tsx', 'test/store/campaign.ts', '100000']],
  ['deaths at every change to the disk', ['vitest', 'run', 'crash.test.ts']],
  ['the perplexity of a text', ['tsx', 'test/native/perplexity-campaign.ts']],
  ['workers that end at any moment', ['tsx', 'test/native/teardown-soak.ts', '2000']],
]

const failed = []
for (const [name, command] of campaigns) {
  console.log(`--- ${name}`)
  const begin = Date.now()
  const { status } = spawnSync('npx', command, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, LLAMERO_SOAK: '1' },
    shell: process.platform === 'win32',
  })
  console.log(`--- ${name}: ${status === 0 ? 'passed' : 'FAILED'} in ${Math.round((Date.now() - begin) / 1000)} s`)
  if (status !== 0) failed.push(name)
}
if (failed.length > 0) {
  console.error(`failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
