import type { Model } from '../../lib/model/index.js'
import { median, rate } from '../measure.js'
import { besideNeighbours, neighbours } from '../neighbours.js'
import { withModel } from '../opened.js'
import { llamaBench } from '../peers/llama-cpp.js'
import { promptOf } from '../prompt.js'
import type { Bench, Findings, Scenario } from '../scenario.js'

const modelOptions = { contextSize: 4096 }
// Pieces of equal length from the same short prompt: a longer generation would get slower by its depth alone.
const pieceTokens = 64
const quietPieces = 6
const busyMs = 8000
const mostPieceMs = 15_000
const recoveryShare = 0.9
const recoveredPieces = 3
const recoveryMs = 30_000
const mostRounds = 3
// Fixed threads may come down to less than one token per second.
const fewTokens = 8

interface Piece {
  readonly tokens: number
  readonly tokensPerSecond: number
  readonly milliseconds: number
  readonly threads: number
}

export const busy: Scenario = {
  name: 'busy',
  title: 'decode beside one busy process per core',
  run: (bench) => withModel(bench.modelPath, modelOptions, (model) => measure(bench, model)),
}

async function measure({ modelPath, rounds, say }: Bench, model: Model): Promise<Findings> {
  const prompt = await promptOf(model, 1, 1)
  await decodePiece(model, prompt)
  const quiet: number[] = []
  const kept: number[] = []
  const keptWhenOpened: number[] = []
  const recovery: number[] = []
  const oneThread: number[] = []
  const keptBesideMany: number[] = []
  const oneThreadBesideMany: number[] = []
  const peerQuiet: number[] = []
  const peerKept: number[] = []
  const courses: string[] = []
  const peerPiece = { modelPath, prompt: 0, generate: 32, depth: 0 }
  for (let round = 0; round < Math.min(rounds, mostRounds); round++) {
    say(`round ${round + 1} of ${Math.min(rounds, mostRounds)}`)
    peerQuiet.push((await llamaBench(peerPiece)).decode)
    const before = await pieces(model, prompt, (done) => done.length >= quietPieces)
    quiet.push(median(before.map((piece) => piece.tokensPerSecond)))
    const { opened, during } = await besideNeighbours('one-program', async () => {
      const during = await pieces(model, prompt, lasts(busyMs))
      const opened = await withModel(modelPath, modelOptions, (fresh) => pieces(fresh, prompt, lasts(busyMs)))
      oneThread.push(overallRate(await piecesOfOneThread(modelPath, prompt)))
      peerKept.push((await llamaBench({ ...peerPiece, generate: fewTokens })).decode)
      return { during, opened }
    })
    kept.push(overallRate(during))
    keptWhenOpened.push(overallRate(opened))
    const isBack = (piece: Piece): boolean => piece.tokensPerSecond >= recoveryShare * quiet[round]!
    const back = (done: readonly Piece[]): boolean =>
      done.length >= recoveredPieces && done.slice(-recoveredPieces).every(isBack)
    const after = await pieces(model, prompt, (done) => back(done) || lasts(recoveryMs)(done))
    recovery.push(back(after) ? (after.length - recoveredPieces) * pieceTokens : Infinity)
    courses.push([before, during, after, opened].map(courseOf).join(' / '))
    await besideNeighbours('many-programs', async () => {
      keptBesideMany.push(overallRate(await pieces(model, prompt, lasts(busyMs))))
      oneThreadBesideMany.push(overallRate(await piecesOfOneThread(modelPath, prompt)))
    })
  }
  const program = `a program with ${neighbours} busy processes`
  const programs = `${neighbours} busy programs`
  const beside = { name: 'quiet', readings: quiet }
  const target = { of: 'ratio', atLeast: 0.4 } as const
  return {
    rows: [
      { name: `decode when ${program} starts`, unit: 'tokens/s', ours: kept, beside, target },
      { name: `decode of a model opened beside ${program}`, unit: 'tokens/s', ours: keptWhenOpened, beside, target },
      {
        name: `tokens until decode is back at ${recoveryShare} of quiet`,
        unit: 'tokens',
        ours: recovery,
        target: { of: 'value', atMost: 384 },
      },
      { name: `for comparison: one fixed thread beside it`, unit: 'tokens/s', ours: oneThread, beside },
      {
        name: 'for comparison: llama-bench beside it',
        unit: 'tokens/s',
        ours: peerKept,
        beside: { name: 'quiet', readings: peerQuiet },
      },
      { name: `decode when ${programs} start`, unit: 'tokens/s', ours: keptBesideMany, beside },
      { name: `for comparison: one fixed thread beside them`, unit: 'tokens/s', ours: oneThreadBesideMany, beside },
    ],
    notes: [
      `pieces of ${pieceTokens} tokens from a prompt of one token; the whole time counts, also that in which the engine adapts`,
      `back: the first of ${recoveredPieces} pieces in a row; the engine tries all threads again at the latest after 256 tokens`,
      `where Linux shares the cores among sessions, one other program leaves us half of them; ${programs} leave us ${neighbours} / ${neighbours + 1} of one core`,
      ...courses.map(
        (line, round) =>
          `round ${round + 1}, tokens/s @ threads of each piece, quiet / joined / free again / opened busy: ${line}`,
      ),
    ],
  }
}

function lasts(milliseconds: number): (done: readonly Piece[]) => boolean {
  return (done) => done.reduce((sum, piece) => sum + piece.milliseconds, 0) > milliseconds
}

function overallRate(done: readonly Piece[]): number {
  return rate(
    done.reduce((sum, piece) => sum + piece.tokens, 0),
    done.reduce((sum, piece) => sum + piece.milliseconds, 0),
  )
}

function courseOf(done: readonly Piece[]): string {
  return done.map((piece) => `${piece.tokensPerSecond.toFixed(0)}@${piece.threads}`).join(' ')
}

async function pieces(model: Model, prompt: Int32Array, enough: (done: readonly Piece[]) => boolean): Promise<Piece[]> {
  const done: Piece[] = []
  while (!enough(done)) done.push(await decodePiece(model, prompt))
  return done
}

function piecesOfOneThread(modelPath: string, prompt: Int32Array): Promise<Piece[]> {
  return withModel(modelPath, { ...modelOptions, threads: 1 }, (model) => pieces(model, prompt, lasts(busyMs / 2)))
}

async function decodePiece(model: Model, prompt: Int32Array): Promise<Piece> {
  const options = { temperature: 0, ignoreEos: true, maxTokens: pieceTokens }
  const startedAt = performance.now()
  let tokens = 0
  for await (const part of model.generate(prompt, options)) {
    if (part.type === 'text') tokens += part.tokens.length
    if (performance.now() - startedAt > mostPieceMs) break
  }
  const milliseconds = performance.now() - startedAt
  return { tokens, tokensPerSecond: rate(tokens, milliseconds), milliseconds, threads: model.metrics().threads }
}
