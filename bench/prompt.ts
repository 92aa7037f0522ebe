/** A model, or an engine below it. */
interface Tokenizer {
  tokenize(text: string): Promise<Int32Array>
}

const subjects = ['the ship', 'a painter', 'our teacher', 'the old mill', 'a young fox', 'the river', 'my neighbour']
const verbs = ['watches', 'follows', 'remembers', 'repairs', 'crosses', 'praises', 'forgets']
const objects = ['the harbour', 'a wooden bridge', 'the morning', 'seven letters', 'a broken clock', 'the north wind']

/**
 * Exactly so many tokens of plain sentences. Another salt gives other text from the first sentence on, so that no
 * cache of prefixes can answer.
 */
export async function promptOf(model: Tokenizer, tokens: number, salt: number): Promise<Int32Array> {
  let state = (salt * 2654435761 + 12345) >>> 0
  const pick = (words: readonly string[]): string => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return words[Math.floor((state / 2 ** 32) * words.length)]!
  }
  let text = `Story number ${salt}.`
  // No token of a sentence is longer than 12 characters on average, whatever the vocabulary.
  while (text.length < tokens * 12) text += ` Then ${pick(subjects)} ${pick(verbs)} ${pick(objects)}.`
  const all = await model.tokenize(text)
  if (all.length < tokens) throw new Error(`The text has ${all.length} tokens, ${tokens} were wanted.`)
  return all.slice(0, tokens)
}
