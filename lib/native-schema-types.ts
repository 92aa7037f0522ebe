/** The part of the native boundary that turns schemas into grammars. */

/** The addon's exports for structured output. */
export interface SchemaAddon {
  /**
   * The GBNF grammar of a JSON Schema, by llama.cpp's converter; throws `ERR_SCHEMA_UNSUPPORTED`. It ignores the keywords
   * that it does not know and has no limits of its own: `prepareSchema` stands before it.
   */
  schemaToGrammar(schemaJson: string): string
}
