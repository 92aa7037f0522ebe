import type { GenerateOptions, Model, Result } from '../../lib/model/index.js'
import { inTurns, rate } from '../measure.js'
import { withModel } from '../opened.js'
import type { Bench, Findings, Row, Scenario } from '../scenario.js'

const modelOptions = { contextSize: 4096 }
const article =
  'The committee met on Tuesday the 4th of March in the small hall behind the library. Mrs. Okonkwo opened the ' +
  'meeting at half past seven and read out the letters that had come since February. The treasurer reported that 412 ' +
  'pounds and 60 pence were left in the account, enough for the new roof of the boat house. Mr. Lindqvist asked ' +
  'whether the work could wait until the summer, since the river is high in spring and the yard floods every year. ' +
  'It was agreed to ask two builders for an offer before the end of the month. The children of the sailing class ' +
  'will paint the old boats in May; brushes and paint are in the shed beside the gate. The next meeting is on the ' +
  '8th of April, again in the small hall.'

interface Task {
  readonly name: string
  readonly prompt: string
  readonly options: (round: number) => GenerateOptions
  readonly atLeast: number
}

const tasks: readonly Task[] = [
  {
    name: 'copy-edit',
    prompt:
      `<|im_start|>user\nRepeat this text word for word, only with "sports hall" instead of "small hall":\n\n` +
      `${article}<|im_end|>\n<|im_start|>assistant\n`,
    options: () => ({ temperature: 0, maxTokens: 160, ignoreEos: true }),
    atLeast: 1.5,
  },
  {
    name: 'prose',
    prompt: '<|im_start|>user\nTell me a story about a lighthouse.<|im_end|>\n<|im_start|>assistant\n',
    // Small models repeat themselves at temperature 0, which would be a help.
    options: (round) => ({ temperature: 0.9, seed: round + 1, maxTokens: 256, ignoreEos: true }),
    atLeast: 0.97,
  },
]

export const speculation: Scenario = {
  name: 'speculation',
  title: 'decode with n-gram drafts beside decode without',
  run: (bench) => withModel(bench.modelPath, modelOptions, (model) => measure(bench, model)),
}

async function measure({ rounds, say }: Bench, model: Model): Promise<Findings> {
  const rows: Row[] = []
  const notes: string[] = []
  for (const { name, prompt, options, atLeast } of tasks) {
    const with_: number[] = []
    const without: number[] = []
    await model.generate(prompt, { ...options(0), maxTokens: 64 })
    let drafted = 0
    let accepted = 0
    let same = 0
    for (let round = 0; round < rounds; round++) {
      say(`${name}: round ${round + 1} of ${rounds}`)
      const texts: string[] = []
      const read = async (speculates: boolean, rates: number[]): Promise<void> => {
        const result = await model.generate(prompt, { ...options(round), speculation: speculates })
        rates.push(decodeRate(result))
        texts.push(result.text)
        drafted += result.usage.draftTokens
        accepted += result.usage.acceptedTokens
      }
      await inTurns(
        round,
        () => read(true, with_),
        () => read(false, without),
      )
      same += texts[0] === texts[1] ? 1 : 0
    }
    rows.push({
      name: `decode of ${name}`,
      unit: 'tokens/s',
      ours: with_,
      beside: { name: 'without drafts', readings: without },
      target: { of: 'ratio', atLeast },
    })
    notes.push(
      `${name}: ${accepted} of ${drafted} proposed tokens accepted; the same words in ${same} of ${rounds} rounds`,
    )
  }
  return {
    rows,
    notes: [
      'the same model and prompts, with the option speculation true and false; from the first token to the last',
      'where two tokens are nearly as likely, the rounding of another batch size may decide: then the words differ',
      ...notes,
    ],
  }
}

function decodeRate({ usage }: Result): number {
  return rate(usage.outputTokens - 1, usage.decodeMs)
}
