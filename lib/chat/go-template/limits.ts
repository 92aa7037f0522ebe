/** What a template may take; whatever goes beyond is `ERR_TEMPLATE` with the limit in its details. */
export const templateLimits = {
  /** Bytes of the source as UTF-8. */
  sourceBytes: 256 * 1024,
  /** Tokens of the source, texts and spaces included; templates that people write have some thousands. */
  tokens: 65_536,
  /** Steps of one rendering: nodes, commands and functions, texts besides by their length. */
  steps: 1_000_000,
  /** Blocks, parentheses and calls of templates inside one another, and levels of data. */
  depth: 64,
  /** UTF-16 units of a text that a function makes. */
  stringLength: 16 * 1024 * 1024,
  /** UTF-16 units of a prompt, beside four times those of the conversation. */
  outputLength: 4 * 1024 * 1024,
  /** Turns of one `range`. */
  rangeTurns: 100_000,
} as const
