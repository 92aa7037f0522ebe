import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { digestOf } from '../../lib/store/index.js'

export interface FakePackage {
  readonly url: string
  readonly wheel: Buffer
  readonly version?: string
  /** A sha256 that is not the wheel's. */
  readonly sha256?: string
}

export interface FakePipOptions {
  readonly packages?: Readonly<Record<string, FakePackage>>
  /** Output of `pip config list`. */
  readonly config?: string
  /** As before pip 22.2: no reports. */
  readonly isOld?: boolean
  /** Fails to find or fetch anything with this text. */
  readonly failure?: string
  /** `pip download` fails with this text. */
  readonly downloadFailure?: string
}

export interface FakePip {
  readonly command: readonly string[]
  /** The arguments of each call so far. */
  calls(): string[][]
}

const program = `
const { appendFileSync, readFileSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const [state, ...args] = process.argv.slice(2)
const { packages, config, isOld, failure, downloadFailure } = JSON.parse(readFileSync(state, 'utf8'))
appendFileSync(state + '.calls', JSON.stringify(args) + '\\n')
const fail = (text, code = 1) => { process.stderr.write(text + '\\n'); process.exit(code) }
const wanted = args.filter((arg) => arg in packages || arg.split('==')[0] in packages).map((arg) => arg.split('==')[0])
if (args[0] === '--version') console.log('pip 0.0 from nowhere')
else if (args[0] === 'config') console.log(config)
else if (failure) fail(failure)
else if (args[0] === 'install') {
  if (isOld) fail('no such option: --report', 2)
  if (wanted.length === 0) fail('ERROR: Could not find a version that satisfies the requirement')
  const install = wanted.map((name) => ({
    metadata: { name: name.replaceAll('-', '_'), version: packages[name].version },
    download_info: { url: packages[name].url, archive_info: { hash: 'sha256=' + packages[name].sha256 } },
  }))
  console.log(JSON.stringify({ version: '1', install }))
} else if (args[0] === 'download') {
  if (downloadFailure) fail(downloadFailure)
  writeFileSync(join(args[args.indexOf('--dest') + 1], wanted[0] + '-1.0-py3-none-any.whl'), readFileSync(packages[wanted[0]].file))
} else fail('unknown command')
`

/** A pip that knows only what a test gives it. */
export function fakePip(directory: string, options: FakePipOptions = {}): FakePip {
  const { packages = {}, config = '', isOld = false, failure = '', downloadFailure = '' } = options
  const known = Object.entries(packages).map(
    ([name, { url, wheel, version = '1.0', sha256 = digestOf(wheel).slice(7) }]) => {
      const file = join(directory, `${name}.whl`)
      writeFileSync(file, wheel)
      return [name, { url, version, sha256, file }]
    },
  )
  const state = join(directory, 'pip.json')
  writeFileSync(
    state,
    JSON.stringify({ packages: Object.fromEntries(known) as object, config, isOld, failure, downloadFailure }),
  )
  writeFileSync(`${state}.calls`, '')
  const script = join(directory, 'pip.cjs')
  writeFileSync(script, program)
  return {
    command: [process.execPath, script, state],
    calls: () =>
      readFileSync(`${state}.calls`, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as string[]),
  }
}
