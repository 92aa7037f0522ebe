import { describe, expect, it } from 'vitest'
import { hasPeer } from '../support/peer-tool.js'
import { startPeerServer } from '../support/peer-server.js'
import { headedModels, spoken, spokenSampler, spokenText, writeHeadedModel } from '../support/spoken-words.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { openRawEngine } from './raw-engine.js'

const directory = temporaryDirectory()
const draftTokens = 4
const maxTokens = 40
const seeds = Array.from({ length: 12 }, (_, index) => index + 1)

interface Course {
  readonly proposed: number
  readonly accepted: number
  readonly tokens: readonly number[]
}

const texts = seeds.map((seed) => spokenText(seed, 20 + 10 * seed))

type Files = Awaited<ReturnType<typeof writeHeadedModel>>

async function ours({ path, headPath }: Files): Promise<Course[]> {
  const options = { rollback: draftTokens, maxSequences: 1, threads: 1, ownKernels: false }
  const engine = await openRawEngine(path, options, headPath, headPath === undefined)
  const request = { maxTokens, ignoreEos: true, draftTokens, adaptDrafts: false, sampler: spokenSampler }
  const courses: Course[] = []
  for (const text of texts) {
    const { finish, tokens } = await engine.run(Int32Array.from(text), request)
    courses.push({ proposed: finish.draftTokens, accepted: finish.acceptedTokens, tokens })
  }
  await engine.close()
  return courses
}

async function upstream({ path, headPath }: Files): Promise<Course[]> {
  const kind = headPath === undefined ? ['--spec-type', 'draft-mtp'] : ['--spec-type', 'draft-eagle3', '-md', headPath]
  const head = [...kind, '--spec-draft-n-max', String(draftTokens)]
  const size = ['--ctx-size', '2048', '--parallel', '1', '--threads', '1', '--no-warmup']
  const server = await startPeerServer(['--model', path, ...head, ...size, '--no-jinja', '--chat-template', 'chatml'])
  const request = {
    n_predict: maxTokens,
    ignore_eos: true,
    temperature: 0,
    samplers: ['penalties', 'temperature'],
    frequency_penalty: spokenSampler.frequencyPenalty,
    repeat_last_n: spokenSampler.repeatLastN,
    logit_bias: spoken.map((token) => [token, spokenSampler.biasValues[0]]),
    return_tokens: true,
    cache_prompt: false,
  }
  const courses: Course[] = []
  for (const prompt of texts) {
    const { timings, tokens } = (await server.complete({ ...request, prompt })) as {
      timings: { draft_n?: number; draft_n_accepted?: number }
      tokens: number[]
    }
    courses.push({ proposed: timings.draft_n ?? 0, accepted: timings.draft_n_accepted ?? 0, tokens })
  }
  await server.close()
  return courses
}

describe.skipIf(!hasPeer('llama-server'))("a trained head's proposals", () => {
  // What a head proposes depends on all inner states that it was given. Where two words are nearly alike rounding may
  // choose another one, after which all differs.
  it.each(headedModels)("are those of llama.cpp's own server, of a %s, %s", async (...kind) => {
    const files = await writeHeadedModel(directory.path, kind)
    const [here, there] = [await ours(files), await upstream(files)]
    const alike = here.filter((course, index) => JSON.stringify(course) === JSON.stringify(there[index]))
    expect(alike.length).toBeGreaterThanOrEqual(seeds.length - 3)
    expect(here.reduce((sum, { accepted }) => sum + accepted, 0)).toBeGreaterThan(60)
  })
})
