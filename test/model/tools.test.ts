import { describe, expect, it, vi } from 'vitest'
import { tool, type Message, type Tools } from '../../lib/chat/index.js'
import type { Part } from '../../lib/model/index.js'
import type { FakeOptions } from '../support/fake-addon.js'
import { answers, parseFake } from '../support/fake-format.js'
import { openFake, readParts, watchRejections } from '../support/fake-model.js'

watchRejections()

const template = { supportsTools: true, supportsThinking: true }
const speaking = (...texts: readonly string[]): FakeOptions => ({
  parse: parseFake,
  template,
  script: answers(...texts),
})
const city = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } as const
const weather = tool({ description: 'The weather.', parameters: city, run: () => 'sunny' })
const tools: Tools = { weather }
const types = (parts: readonly Part[]): string[] =>
  parts.map(({ type }) => type).filter((type) => !type.endsWith('delta'))

describe('tools', () => {
  it('are described to the template and their calls are given to the caller', async () => {
    const { model, addon } = await openFake(speaking('<think>hm</think>Well.\n[weather {"city":"Rome"}]'))
    const { run: _run, ...described } = weather
    const generation = model.chat('Rome?', { tools: { weather: described } })
    const parts = await readParts(generation)
    expect(types(parts).filter((type, index, all) => type !== all[index - 1])).toEqual([
      'reasoning',
      'text',
      'tool-call',
      'finish',
    ])
    const { finishReason, toolCalls, text, reasoning, message, messages, usage } = await generation
    expect({ finishReason, text, reasoning }).toEqual({ finishReason: 'tool-calls', text: 'Well.', reasoning: 'hm' })
    expect(toolCalls).toEqual([
      { id: expect.stringMatching(/^call_\w{8}$/), name: 'weather', arguments: { city: 'Rome' } },
    ])
    expect(message).toEqual({ role: 'assistant', content: 'Well.', reasoning: 'hm', toolCalls })
    expect(messages).toEqual([message])
    expect(usage.reasoningTokens).toBe('<think>hm'.length)
    expect(JSON.parse(addon.chatInputs[0]?.toolsJson ?? '')).toEqual([
      { type: 'function', function: { name: 'weather', description: 'The weather.', parameters: expect.any(Object) } },
    ])
  })

  it('stream their arguments, the pieces of which make the whole', async () => {
    const { model } = await openFake(speaking('[weather {"city":"Rome"}]\n[weather {"city":"Oslo"}]'))
    const parts = await readParts(model.chat('?', { tools, maxSteps: 1 }))
    const written = [0, 1].map((index) =>
      parts.map((part) => (part.type === 'tool-call-delta' && part.index === index ? part.arguments : '')).join(''),
    )
    expect(written).toEqual(['{"city":"Rome"}', '{"city":"Oslo"}'])
  })

  it('are run, and the model goes on with what they return', async () => {
    const { model, addon } = await openFake(speaking('[weather {"city":"Rome"}]', 'It is sunny.'))
    const run = vi.fn(() => ({ sky: 'blue', __proto__: { x: 1 } }))
    const generation = model.chat('Rome?', { tools: { weather: { ...weather, run } } })
    const result = await generation
    expect(result).toMatchObject({ text: 'It is sunny.', finishReason: 'stop', toolCalls: [] })
    expect(result.messages.map(({ role }) => role)).toEqual(['assistant', 'tool', 'assistant'])
    const [call, told] = result.messages
    expect(told).toEqual({
      role: 'tool',
      content: '{"sky":"blue"}',
      toolCallId: call?.toolCalls?.[0]?.id,
      toolName: 'weather',
    })
    expect(run).toHaveBeenCalledWith(
      { city: 'Rome' },
      { signal: expect.any(AbortSignal), toolCallId: call?.toolCalls?.[0]?.id, messages: expect.any(Array) },
    )
    const seen = types(await readParts(generation)).filter((type, index, all) => type !== all[index - 1])
    expect(seen).toEqual(['tool-call', 'tool-result', 'text', 'finish'])
    const second = JSON.parse(addon.chatInputs[1]?.messagesJson ?? '') as Record<string, unknown>[]
    expect(second.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool'])
    expect(second[1]).toMatchObject({
      tool_calls: [{ type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } }],
    })
    expect(result.usage.outputTokens).toBe('[weather {"city":"Rome"}]'.length + 1 + 'It is sunny.'.length + 1)
  })

  it('run at the same time', async () => {
    const { model } = await openFake(speaking('[weather {"city":"a"}]\n[weather {"city":"b"}]', 'done'))
    let running = 0
    let most = 0
    const run = async ({ city: name }: { city: string }): Promise<string> => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, name === 'a' ? 20 : 5))
      running--
      return name
    }
    const { messages } = await model.chat('?', { tools: { weather: { ...weather, run } } })
    expect(most).toBe(2)
    // In the order of the calls, whoever was first.
    expect(messages.filter(({ role }) => role === 'tool').map(({ content }) => content)).toEqual(['a', 'b'])
  })

  it.each<[string, Partial<Tools[string]>, string, RegExp]>([
    [
      'an exception',
      { run: () => Promise.reject(new Error('no network')) },
      '[weather {"city":"a"}]',
      /^Error: no network$/,
    ],
    [
      'a thrown text',
      {
        run: () => {
          const text: unknown = 'plain'
          throw text as Error
        },
      },
      '[weather {"city":"a"}]',
      /^Error: plain$/,
    ],
    [
      'a run that takes too long',
      { run: () => new Promise(() => undefined), timeoutMs: 10 },
      '[weather {"city":"a"}]',
      /^Error: It took longer than 10 ms\.$/,
    ],
    [
      'a tool that is not there',
      {},
      '[whether {"city":"a"}]',
      /^Error: There is no tool "whether"\. There are: weather\.$/,
    ],
    ['a result that JSON can not hold', { run: () => 5n }, '[weather {"city":"a"}]', /^Error: .*BigInt/],
  ])('tell the model of %s', async (_what, change, answer, told) => {
    const { model } = await openFake(speaking(answer, 'I am sorry.'))
    const generation = model.chat('?', { tools: { weather: { ...weather, ...change } } })
    const { text, messages } = await generation
    expect(text).toBe('I am sorry.')
    expect(messages[1]?.content).toMatch(told)
    const part = (await readParts(generation)).find(({ type }) => type === 'tool-result')
    expect(part).toMatchObject({ type: 'tool-result', error: expect.any(String) })
  })

  it('end after maxSteps with the calls of the last step answered', async () => {
    const endless = Array<string>(9).fill('[weather {"city":"a"}]')
    const { model } = await openFake(speaking(...endless))
    const { finishReason, messages, toolCalls } = await model.chat('?', { tools, maxSteps: 3 })
    expect(finishReason).toBe('tool-calls')
    expect(messages.map(({ role }) => role)).toEqual(['assistant', 'tool', 'assistant', 'tool', 'assistant', 'tool'])
    expect(toolCalls).toHaveLength(1)
  })

  it('that run are told when the generation is aborted, and nobody waits for them', async () => {
    const { model, addon } = await openFake(speaking('[weather {"city":"a"}]', 'never'))
    const aborted = vi.fn()
    let started = (): void => undefined
    const running = new Promise<void>((resolve) => (started = resolve))
    const run = (_args: unknown, { signal }: { signal: AbortSignal }): Promise<never> => {
      signal.addEventListener('abort', aborted)
      started()
      return new Promise(() => undefined)
    }
    const generation = model.chat('?', { tools: { weather: { ...weather, run } } })
    const result = generation.then((value) => value)
    await running
    generation.abort()
    expect(await result).toMatchObject({ finishReason: 'abort', toolCalls: [{ name: 'weather' }] })
    expect(aborted).toHaveBeenCalledOnce()
    expect(addon.engine().requests).toHaveLength(1)
  })

  it('are not run when the generation is stopped while the call is being read', async () => {
    const run = vi.fn()
    const options = speaking('[weather {"city":"a"}]', 'never')
    const { model, addon } = await openFake(options)
    const chatParse = addon.chatParse.bind(addon)
    const generation = model.chat('?', { tools: { weather: { ...weather, run } } })
    addon.chatParse = async (format, text, isPartial) => {
      if (!isPartial) generation.abort()
      return chatParse(format, text, isPartial)
    }
    const { finishReason, toolCalls } = await generation
    expect({ finishReason, calls: toolCalls.length }).toEqual({ finishReason: 'abort', calls: 1 })
    expect(run).not.toHaveBeenCalled()
  })

  it('are checked by their own library where no JSON Schema can be had', async () => {
    const { model } = await openFake(speaking('[weather {"city":"a"}]', 'sorry'))
    const run = vi.fn()
    const refuse = (): { issues: readonly { message: string }[] } => ({ issues: [{ message: 'no such city' }] })
    const parameters = { '~standard': { version: 1, vendor: 'test', validate: refuse } } as const
    const { messages } = await model.chat('?', { tools: { weather: { parameters, run } } })
    expect(run).not.toHaveBeenCalled()
    expect(messages[1]?.content).toBe('Error: The arguments are wrong. no such city')
  })

  it('hold half an emoji as the sign for what is broken', async () => {
    const { model, addon } = await openFake(speaking('[weather {"city":"\\ud83d"}]', 'done'))
    await model.chat('?', { tools })
    expect(addon.chatInputs[1]?.messagesJson).toContain('\ufffd')
  })

  it('that run end with the signal of the call, which rejects with its reason', async () => {
    const { model } = await openFake(speaking('[weather {"city":"a"}]', 'never'))
    const controller = new AbortController()
    const run = (): Promise<never> => {
      controller.abort(new Error('enough'))
      return new Promise(() => undefined)
    }
    const generation = model.chat('?', { tools: { weather: { ...weather, run } }, signal: controller.signal })
    await expect(generation).rejects.toThrow('enough')
  })

  it('must be called in the first step only', async () => {
    const { model, addon } = await openFake(speaking('[weather {"city":"a"}]', 'done'))
    await model.chat('?', { tools: { weather, other: weather }, toolChoice: { tool: 'weather' } })
    expect(addon.chatInputs.map(({ toolChoice }) => toolChoice)).toEqual(['required', 'auto'])
    expect(addon.chatInputs.map(({ toolsJson }) => (JSON.parse(toolsJson) as unknown[]).length)).toEqual([1, 2])
  })

  it('with schemas that no grammar can hold do not disable the others', async () => {
    const { model, addon } = await openFake(speaking('[odd {"x":1}]\n[weather {"city":"a"}]', 'done'))
    const run = vi.fn(() => 'odd')
    const odd = { parameters: { type: 'object', patternProperties: { '^a': {} } }, run } as const
    const { messages, warnings } = await model.chat('?', { tools: { odd, weather } })
    expect(run).toHaveBeenCalledWith({ x: 1 }, expect.anything())
    expect(messages).toHaveLength(4)
    expect(warnings).toEqual([expect.stringMatching(/^tools\.odd\.parameters: .*not checked\.$/)])
    const [shown] = JSON.parse(addon.chatInputs[0]?.toolsJson ?? '') as { function: { parameters: object } }[]
    expect(shown?.function.parameters).toEqual({ type: 'object' })
  })

  it('belong to a session as well, whose messages have all of it', async () => {
    const { model } = await openFake(speaking('[weather {"city":"Rome"}]', 'It is sunny.', 'Yes.'))
    const session = await model.session()
    await session.chat('Rome?', { tools })
    expect(session.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'assistant'])
    await session.chat('Really?')
    expect(session.messages.at(-1)).toEqual({ role: 'assistant', content: 'Yes.' })
  })

  it('are answered by the caller with messages', async () => {
    const { model, addon } = await openFake(speaking('[weather {"city":"Rome"}]', 'It is sunny.'))
    const { run: _run, ...described } = weather
    const question: Message = { role: 'user', content: 'Rome?' }
    const first = await model.chat([question], { tools: { weather: described } })
    const answer: Message = { role: 'tool', content: 'sunny', toolCallId: first.toolCalls[0]?.id, toolName: 'weather' }
    const { text } = await model.chat([question, ...first.messages, answer], { tools: { weather: described } })
    expect(text).toBe('It is sunny.')
    const sent = JSON.parse(addon.chatInputs[1]?.messagesJson ?? '') as unknown[]
    expect(sent.at(-1)).toEqual({
      role: 'tool',
      content: 'sunny',
      tool_call_id: first.toolCalls[0]?.id,
      name: 'weather',
    })
  })

  it.each<[string, object, string]>([
    ['a list', { tools: [] }, 'tools'],
    ['a name with spaces', { tools: { 'a b': weather } }, 'tools.a b'],
    ['run that is no function', { tools: { a: { run: 5 } } }, 'tools.a.run'],
    ['parameters of no object', { tools: { a: { parameters: { type: 'string' } } } }, 'tools.a.parameters'],
    ['an unknown field', { tools: { a: { parms: {} } } }, 'tools.a.parms'],
    ['no time at all', { tools: { a: { timeoutMs: 0 } } }, 'tools.a.timeoutMs'],
    ['a choice that is not there', { tools, toolChoice: { tool: 'b' } }, 'toolChoice.tool'],
    ['a choice of nothing', { toolChoice: 'required' }, 'toolChoice'],
    ['a grammar beside them', { tools, grammar: 'root ::= "a"' }, 'grammar'],
    ['no steps', { tools, maxSteps: 0 }, 'maxSteps'],
    ['variables that the template gets anyway', { templateVariables: { messages: [] } }, 'templateVariables.messages'],
    ['thinking of an unknown kind', { reasoning: 'very' }, 'reasoning'],
  ])('are refused at once: %s', async (_what, options, option) => {
    const { model } = await openFake(speaking())
    expect(() => model.chat('?', options)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION_INVALID', details: expect.objectContaining({ option }) }),
    )
  })
})

describe('models whose template knows no tools', () => {
  const speakingPlain = (...texts: readonly string[]): FakeOptions => ({ script: answers(...texts) })

  it('are told in words, and bound by a schema', async () => {
    const { model, addon } = await openFake(
      speakingPlain(
        '{"tool_calls": [{"name": "weather", "arguments": {"city": "Rome"}}]}',
        '{"response": "It is \\"sunny\\"."}',
      ),
    )
    const generation = model.chat('Rome?', { tools })
    const { text, messages, finishReason } = await generation
    expect({ text, finishReason }).toEqual({ text: 'It is "sunny".', finishReason: 'stop' })
    expect(messages[0]).toMatchObject({ content: '', toolCalls: [{ name: 'weather', arguments: { city: 'Rome' } }] })
    const [first, second] = addon.chatInputs
    expect(first?.toolsJson).toBe('')
    expect(JSON.parse(addon.schemas.at(-1) ?? '')).toMatchObject({
      anyOf: [{ required: ['tool_calls'] }, { required: ['response'] }],
    })
    const told = JSON.parse(second?.messagesJson ?? '') as { role: string; content: string }[]
    expect(told.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user'])
    expect(told[0]?.content).toContain('"name":"weather"')
    expect(told[3]?.content).toBe('Result of weather: sunny')
    const streamed = (await readParts(generation)).map((part) => (part.type === 'text' ? part.text : '')).join('')
    expect(streamed).toBe('It is "sunny".')
  })

  it('keep the instructions that they have', async () => {
    const { model, addon } = await openFake(speakingPlain('{"response": "ok"}'))
    await model.chat(
      [
        { role: 'system', content: 'Be terse.' },
        { role: 'user', content: '?' },
      ],
      { tools },
    )
    const told = JSON.parse(addon.chatInputs[0]?.messagesJson ?? '') as { role: string; content: string }[]
    expect(told[0]?.content).toMatch(/^Be terse\.\n\nYou can call tools\./)
  })
})

describe('thinking', () => {
  it('is asked for, refused, graded and limited', async () => {
    const { model, addon } = await openFake({
      ...speaking(...Array<string>(4).fill('<think>a</think>b')),
      prompt: { thinking: { start: '<think>', ends: ['</think>'], prefix: '' } },
    })
    for (const reasoning of [true, false, 'high', { maxTokens: 5 }] as const) await model.chat('?', { reasoning })
    expect(addon.chatInputs.map(({ thinking }) => thinking)).toEqual([true, false, true, true])
    expect(JSON.parse(addon.chatInputs[2]?.variablesJson ?? '')).toEqual({ reasoning_effort: 'high' })
    const limits = addon.engine().requests.map(({ sampler }) => sampler.thinking)
    const tags = { start: '<think>', ends: ['</think>'], prefix: '', closing: '</think>' }
    expect(limits).toEqual([-1, -1, -1, 5].map((maxTokens) => ({ ...tags, maxTokens })))
  })

  it('is refused where the template does not know how', async () => {
    const { model } = await openFake({})
    await expect(model.chat('?', { reasoning: true })).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    await model.chat('?', { reasoning: false })
  })

  it('that was cut off stays thinking', async () => {
    const { model } = await openFake(speaking('<think>and on and on'))
    const { text, reasoning, finishReason } = await model.chat('?', { maxTokens: 12 })
    expect({ text, reasoning, finishReason }).toEqual({ text: '', reasoning: 'and o', finishReason: 'length' })
  })
})
