import { load, type LoadOptions } from '../runtime/index.js'
import type { Model } from '../model/index.js'
import type { Output } from './output.js'
import { bar, fit } from './progress-bar.js'
import { ProgressDisplay, spinner } from './progress-display.js'
import { reportPull, type PullReporter } from './pull-progress.js'

/** A model ready to answer. */
export interface LoadedModel {
  readonly model: Model
  /** Time since it was on this machine, in ms: without the pull. */
  readonly loadMs: number
}

const barWidth = 30

/** Loads a model and shows on standard error what is going on, pulling included. */
export async function loadWithProgress(
  reference: string,
  options: Omit<LoadOptions, 'onPull' | 'onProgress'>,
  stderr: Output,
): Promise<LoadedModel> {
  let startedAt = performance.now()
  let share = 0
  const showLoading = (): ProgressDisplay | undefined =>
    stderr.canRedraw ? new ProgressDisplay(stderr, (columns) => [fit(loadingLine(share), columns)]) : undefined
  let loading = showLoading()
  let pulling: PullReporter | undefined
  const endPull = (): void => {
    pulling?.end({ isStopped: options.signal?.aborted === true })
    pulling = undefined
  }
  try {
    const model = await load(reference, {
      ...options,
      onPull: (news) => {
        loading?.clear()
        loading = undefined
        pulling ??= reportPull(stderr)
        pulling.report(news)
        if (news.status !== 'success') return
        endPull()
        startedAt = performance.now()
        loading = showLoading()
      },
      onProgress: (fraction) => (share = fraction),
    })
    return { model, loadMs: performance.now() - startedAt }
  } finally {
    endPull()
    loading?.clear()
  }
}

function loadingLine(share: number): string {
  const stage = `loading model ${spinner()}`
  return share === 0 ? stage : `${stage} ${String(Math.floor(share * 100)).padStart(3)}% ${bar(share, barWidth)}`
}
