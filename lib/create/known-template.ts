import type { GgufFile } from '../gguf/index.js'

/** A form of prompts that many models share, as Ollama names it, with the texts at which an answer ends. */
export interface KnownTemplate {
  readonly name: string
  /** In Go's template language. */
  readonly template: string
  readonly stop: readonly string[]
}

interface Form extends KnownTemplate {
  /** Texts that a chat template of this form holds. */
  readonly marks: readonly string[]
}

// Names and stop texts: Ollama's table of templates. The first whose marks are all there counts.
const forms: readonly Form[] = [
  {
    name: 'llama3-instruct',
    marks: ['<|start_header_id|>', '<|eot_id|>'],
    template:
      '{{ range .Messages }}<|start_header_id|>{{ .Role }}<|end_header_id|>\n\n{{ .Content }}<|eot_id|>{{ end }}<|start_header_id|>assistant<|end_header_id|>\n\n',
    stop: ['<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'],
  },
  {
    name: 'chatml',
    marks: ['<|im_start|>', '<|im_end|>'],
    template:
      '{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n',
    stop: ['<|im_start|>', '<|im_end|>'],
  },
  {
    name: 'gemma-instruct',
    marks: ['<start_of_turn>', '<end_of_turn>'],
    template:
      '{{ $system := "" }}{{ range .Messages }}{{ if eq .Role "system" }}{{ $system = .Content }}{{ else }}<start_of_turn>{{ if eq .Role "assistant" }}model{{ else }}user{{ end }}\n{{ if $system }}{{ $system }}\n\n{{ $system = "" }}{{ end }}{{ .Content }}<end_of_turn>\n{{ end }}{{ end }}<start_of_turn>model\n',
    stop: ['<start_of_turn>', '<end_of_turn>'],
  },
  {
    name: 'phi-3',
    marks: ['<|user|>', '<|assistant|>', '<|end|>'],
    template: '{{ range .Messages }}<|{{ .Role }}|>\n{{ .Content }}<|end|>\n{{ end }}<|assistant|>\n',
    stop: ['<|end|>', '<|system|>', '<|user|>', '<|assistant|>'],
  },
  {
    name: 'zephyr',
    marks: ['<|user|>', '<|assistant|>', 'eos_token'],
    template: '{{ range .Messages }}<|{{ .Role }}|>\n{{ .Content }}</s>\n{{ end }}<|assistant|>\n',
    stop: ['<|system|>', '</s>', '<|user|>', '<|assistant|>'],
  },
]

/** Longer ones say more than who speaks. */
const mostCharacters = 1500

/**
 * The known form of the chat template inside weights. None for a template that knows tools or thinking, of which the
 * known form would say nothing, and for weights without one.
 */
export function knownTemplate({ metadata }: GgufFile): KnownTemplate | undefined {
  const found = metadata.get('tokenizer.chat_template')
  if (found?.type !== 'string' || found.value.length > mostCharacters || /tool|think|reason/i.test(found.value))
    return undefined
  return forms.find(({ marks }) => marks.every((mark) => found.value.includes(mark)))
}
