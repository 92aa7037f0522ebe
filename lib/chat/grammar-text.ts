/** Names, strings and character classes of GBNF; of these only names are rules. */
const words = /"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|<[^>\s]*>|#[^\n]*|[a-zA-Z][a-zA-Z0-9-]*/g

/** The grammar with `prefix` before the name of every rule, so that it can stand beside others. */
export function prefixRules(grammar: string, prefix: string): string {
  return grammar.replace(words, (word) => (/^[a-zA-Z]/.test(word) ? prefix + word : word))
}

/** A grammar that accepts what either accepts. */
export function eitherGrammar(first: string, second: string): string {
  return `root ::= a-root | b-root\n${prefixRules(first, 'a-')}\n${prefixRules(second, 'b-')}\n`
}

/**
 * The grammar with another one in place of a constant: the rules around an answer are llama.cpp's, those of the answer
 * itself are ours.
 */
export function embedGrammar(grammar: string, constant: string, inner: string): string {
  const prefix = 'answer-'
  return `${grammar.replaceAll(`"\\"${constant}\\""`, `${prefix}root`)}\n${prefixRules(inner, prefix)}\n`
}
