/** The part of the native boundary for structured output: schemas, and what grammars allow. */
import type { NativeModel } from './native-types.js'

/** A model's cache of compiled grammars. */
export interface NativeGrammarStats {
  readonly grammars: number
  /** Of their rules, and of the states and masks that were found for them. */
  readonly bytes: number
  readonly hits: number
  readonly misses: number
}

/** The addon's exports for structured output. */
export interface SchemaAddon {
  /**
   * The GBNF grammar of a JSON Schema, by llama.cpp's converter; throws `ERR_SCHEMA_UNSUPPORTED`. It ignores the keywords
   * that it does not know and has no limits of its own: `prepareSchema` stands before it.
   */
  schemaToGrammar(schemaJson: string): string
  /**
   * Compiles a grammar for the model's vocabulary on a thread of its own and keeps it, so that the engine need not.
   * Rejects with `ERR_GRAMMAR`.
   */
  compileGrammar(model: NativeModel, grammar: string, writtenTokens: Int32Array): Promise<void>
  /**
   * For each token 1 if a grammar allows it behind `tokens`: by our automaton, or by llama.cpp's own grammar (`upstream`),
   * which tests compare. Throws `ERR_GRAMMAR`, also for tokens that the grammar does not allow.
   */
  grammarAllows(model: NativeModel, grammar: string, tokens: Int32Array, upstream: boolean): Uint8Array
  grammarStats(model: NativeModel): NativeGrammarStats
}
