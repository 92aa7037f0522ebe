import { describe, expect, it } from 'vitest'
import { renderPrompt } from '../../lib/chat/index.js'
import { LlameroError } from '../../lib/errors.js'
import type { NativeChatPrompt, NativeTextPart } from '../../lib/native-types.js'

const messages = [{ role: 'user', content: 'a "quoted"\n\ufffd' }] as const

const promptOf = (parts: readonly NativeTextPart[]): NativeChatPrompt => ({
  parts,
  grammar: { grammar: '', lazy: false, triggers: [], prefix: '' },
  preservedTokens: new Int32Array(),
  stops: [],
  format: {} as NativeChatPrompt['format'],
  isPlain: true,
})

describe('rendering', () => {
  it('hands the messages over as JSON and asks for the opening of an answer', async () => {
    const parts = [{ text: 'prompt', trusted: true }]
    const rendered = await renderPrompt(async (input) => {
      expect(JSON.parse(input.messagesJson)).toEqual(messages)
      expect(input).toMatchObject({ variablesJson: '{}', addGenerationPrompt: true, toolsJson: '' })
      return promptOf(parts)
    }, messages)
    expect(rendered).toBe(parts)
  })

  it('leaves the opening away when told so', async () => {
    await renderPrompt(
      async ({ addGenerationPrompt }) => {
        expect(addGenerationPrompt).toBe(false)
        return promptOf([])
      },
      messages,
      { addGenerationPrompt: false },
    )
  })

  it('makes any failure an ERR_TEMPLATE with its reason, cut to 1 KiB', async () => {
    const failing = renderPrompt(() => Promise.reject(new Error('x'.repeat(5000))), messages)
    await expect(failing).rejects.toMatchObject({ code: 'ERR_TEMPLATE', cause: expect.any(Error) })
    await expect(failing).rejects.toThrow(/^The chat template failed: x{1024}$/)
  })

  it('passes on errors that have a code', async () => {
    const error = new LlameroError('ERR_DISPOSED')
    await expect(renderPrompt(() => Promise.reject(error), messages)).rejects.toBe(error)
  })
})
