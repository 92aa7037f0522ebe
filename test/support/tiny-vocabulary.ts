import { array, bool, text, u32, type WriterValue } from './gguf-writer.js'

type Metadata = Readonly<Record<string, WriterValue>>

/** Roles between markers, as ChatML has them. */
export const chatTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

/** Numbers of llama.cpp's `llama_token_type`. */
const kinds = { normal: 1, unknown: 2, control: 3, byte: 6 } as const

export interface Vocabulary {
  readonly metadata: Metadata
  /** Texts by id, latin1 strings of their bytes. */
  readonly tokens: readonly string[]
  /** The id of a token's bytes. */
  id(token: string | Uint8Array): number
}

const latin1 = (bytes: string | Uint8Array) => Buffer.from(bytes).toString('latin1')

function vocabulary(tokens: readonly string[], metadata: Metadata): Vocabulary {
  const ids = new Map(tokens.map((token, id) => [token, id]))
  return {
    metadata: {
      ...metadata,
      'tokenizer.ggml.tokens': array(
        'string',
        tokens.map((token) => Buffer.from(token, 'latin1')),
      ),
    },
    tokens,
    id(token) {
      const found = ids.get(latin1(token))
      if (found === undefined) throw new Error(`the tiny vocabulary has no token ${JSON.stringify(token)}`)
      return found
    },
  }
}

export const byteName = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`

const printable = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index))
const markers = ['<|im_start|>', '<|im_end|>']

/** SentencePiece style: bytes, printable ASCII, the space, and `extra` tokens, which may hold parts of characters. */
export function spmVocabulary(extra: readonly (string | Uint8Array)[] = []): Vocabulary {
  const special = ['<unk>', '<s>', '</s>', '<|endoftext|>', ...markers]
  const bytes = Array.from({ length: 256 }, (_, byte) => byteName(byte))
  const normal = [latin1('▁'), ...printable, ...extra.map(latin1)]
  const tokens = [...special, ...bytes, ...normal]
  const types = [
    kinds.unknown,
    ...special.slice(1).map(() => kinds.control),
    ...bytes.map(() => kinds.byte),
    ...normal.map(() => kinds.normal),
  ]
  return vocabulary(tokens, {
    'tokenizer.ggml.model': text('llama'),
    'tokenizer.ggml.pre': text('default'),
    'tokenizer.ggml.scores': array(
      'float32',
      tokens.map(() => 0),
    ),
    'tokenizer.ggml.token_type': array('int32', types),
    'tokenizer.ggml.bos_token_id': u32(1),
    'tokenizer.ggml.eos_token_id': u32(tokens.indexOf('<|im_end|>')),
    'tokenizer.ggml.unknown_token_id': u32(0),
    'tokenizer.ggml.add_bos_token': bool(true),
    'tokenizer.ggml.add_eos_token': bool(false),
    'tokenizer.ggml.add_space_prefix': bool(false),
    'tokenizer.chat_template': text(chatTemplate),
  })
}

/** GPT-2's printable stand-in for each byte. */
export function byteLetters(): string[] {
  const plain = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(plain(byte) ? byte : next++))
}

/** Qwen's marks around a gap that is to be filled. */
export const infillMarkers = ['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>']

/** Byte-level BPE with a few merges, as GPT-2, Qwen and EXAONE have it; `extra` are further control tokens. */
export function bpeVocabulary(pre: string, extra: readonly string[] = []): Vocabulary {
  const merges = ['h e', 'l l', 'he ll', 'hell o', 'Ġ t', 'Ġt he'].map((merge) => {
    const [first = '', second = ''] = merge.split(' ')
    return [first, second, first + second] as const
  })
  const letters = byteLetters().map(latin1)
  const merged = merges.map(([, , both]) => latin1(both))
  const special = ['<|endoftext|>', ...markers, ...extra]
  const tokens = [...letters, ...new Set(merged), ...special]
  return vocabulary(tokens, {
    'tokenizer.ggml.model': text('gpt2'),
    'tokenizer.ggml.pre': text(pre),
    'tokenizer.ggml.token_type': array(
      'int32',
      tokens.map((token) => (special.includes(token) ? kinds.control : kinds.normal)),
    ),
    'tokenizer.ggml.merges': array(
      'string',
      merges.map(([first, second]) => `${first} ${second}`),
    ),
    'tokenizer.ggml.bos_token_id': u32(tokens.indexOf('<|endoftext|>')),
    'tokenizer.ggml.eos_token_id': u32(tokens.indexOf('<|im_end|>')),
    'tokenizer.ggml.padding_token_id': u32(tokens.indexOf('<|endoftext|>')),
    'tokenizer.ggml.add_bos_token': bool(false),
    'tokenizer.chat_template': text(chatTemplate),
  })
}

/** WordPiece with letters and a few words, as BERT has it; a word begins with the block that llama.cpp puts there. */
export function wpmVocabulary(): Vocabulary {
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
  const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789.,!?']
  const tokens = [
    ...special,
    ...letters,
    ...[...letters, 'hello', 'world', 'the', 'sky', 'is', 'blue'].map((word) => latin1(`▁${word}`)),
  ]
  return vocabulary(tokens, {
    'tokenizer.ggml.model': text('bert'),
    'tokenizer.ggml.pre': text('default'),
    'tokenizer.ggml.token_type': array(
      'int32',
      tokens.map((_, id) => (id < special.length ? kinds.control : kinds.normal)),
    ),
    'tokenizer.ggml.token_type_count': u32(2),
    'tokenizer.ggml.bos_token_id': u32(2),
    'tokenizer.ggml.eos_token_id': u32(3),
    'tokenizer.ggml.cls_token_id': u32(2),
    'tokenizer.ggml.seperator_token_id': u32(3),
    'tokenizer.ggml.unknown_token_id': u32(1),
    'tokenizer.ggml.padding_token_id': u32(0),
    'tokenizer.ggml.mask_token_id': u32(4),
  })
}
