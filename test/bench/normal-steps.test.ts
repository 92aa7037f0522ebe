import { describe, expect, it } from 'vitest'
import { inNormalSteps, withoutPrompt } from '../../bench/normal-steps.js'

describe('steps that carried nothing of a prompt', () => {
  it('are those with whose token no progress came, before or behind it', () => {
    expect(withoutPrompt([0, 10, 20, 30, 40], [10.2, 29.9])).toEqual([false, true, false, true])
  })

  it('are all without a prompt', () => {
    expect(withoutPrompt([0, 10, 20], [])).toEqual([true, true])
  })
})

describe('gaps in normal steps', () => {
  it('follow a stream that gets slower', () => {
    const gaps = Array.from({ length: 320 }, (_, index) => (index % 8 === 0 ? 1 : 1.5) * (index < 160 ? 10 : 40))
    const steps = inNormalSteps(
      gaps,
      gaps.map((_, index) => index % 8 === 0),
    )
    expect(steps.slice(0, 140)).toEqual(gaps.slice(0, 140).map((gap) => gap / 10))
    expect(steps.slice(180)).toEqual(gaps.slice(180).map((gap) => gap / 40))
  })

  it('are not misled by a single slow step without a prompt, nor excuse one beside it', () => {
    const gaps = [10, 10, 90, 10, 10, 35, 10]
    const normal = [true, true, true, true, true, false, true]
    expect(inNormalSteps(gaps, normal)).toEqual([1, 1, 9, 1, 1, 3.5, 1])
  })

  it('need a step to go by', () => {
    expect(() => inNormalSteps([10], [false])).toThrow(/without a prompt/)
  })
})
