import { projectorHears, templateThinks, type GgufFile } from '../gguf/index.js'

/** What a model can do, in Ollama's words. */
export type Capability =
  'completion' | 'embedding' | 'vision' | 'audio' | 'tools' | 'insert' | 'thinking' | (string & {})

/** The parts of a model that tell what it can do. */
export interface CapabilityEvidence {
  /** The header of the weights. */
  readonly header?: GgufFile | undefined
  readonly projector?: GgufFile | undefined
  /** The Go template. */
  readonly template?: string | undefined
  /** The Jinja template in the weights. */
  readonly chatTemplate?: string | undefined
  readonly family: string
  /** What the config claims beyond what can be seen. */
  readonly claimed: readonly string[]
}

/**
 * What a model can do as far as its parts tell, in Ollama's order (ollama.md §5.6). Not seen are tools and thinking of
 * models whose config names a built-in parser, since those parsers are Ollama's code.
 */
export function capabilitiesOf(evidence: CapabilityEvidence): Capability[] {
  const { header, projector, template = '', chatTemplate = '', family, claimed } = evidence
  const has = (key: string) => header?.metadata.has(`${family}.${key}`) === true
  const used = templateWords(template)
  const found: readonly (readonly [Capability, boolean])[] = [
    ['completion', header !== undefined && !has('pooling_type')],
    ['embedding', has('pooling_type')],
    ['vision', has('vision.block_count') || projector !== undefined],
    ['audio', has('audio.block_count') || projectorHears(projector, family)],
    ['tools', used.has('tools') || /tools|tool_call/.test(chatTemplate)],
    ['insert', used.has('suffix')],
    ['thinking', used.has('thinking') || templateThinks(chatTemplate) || /^gpt-?oss$/.test(family)],
  ]
  return [...new Set([...found.filter(([, isThere]) => isThere).map(([name]) => name), ...claimed])]
}

/** The fields and variables that the actions of a Go template name, in lower case; comments and texts do not count. */
function templateWords(template: string): ReadonlySet<string> {
  const words = new Set<string>()
  for (let at = template.indexOf('{{'); at >= 0; at = template.indexOf('{{', at)) {
    const { code, end } = readAction(template, at + 2)
    for (const [, word = ''] of code.matchAll(/[.$]([A-Za-z_]\w*)/g)) words.add(word.toLowerCase())
    at = end
  }
  return words
}

// A pattern for whole actions could be made to take for ever; this only moves forward.
function readAction(template: string, start: number): { readonly code: string; readonly end: number } {
  const code: string[] = []
  let at = start
  while (at < template.length && !template.startsWith('}}', at)) {
    const end = endOfQuoted(template, at)
    code.push(end === undefined ? template.charAt(at) : ' ')
    at = end ?? at + 1
  }
  return { code: code.join(''), end: at }
}

/** Where the text or comment ends that begins here; undefined if none does. */
function endOfQuoted(template: string, start: number): number | undefined {
  const after = (mark: string, from: number) => {
    const found = template.indexOf(mark, from)
    return found < 0 ? template.length : found + mark.length
  }
  if (template[start] === '`') return after('`', start + 1)
  if (template.startsWith('/*', start)) return after('*/', start + 2)
  if (template[start] !== '"') return undefined
  let at = start + 1
  while (at < template.length && template[at] !== '"') at += template[at] === '\\' ? 2 : 1
  return Math.min(at + 1, template.length)
}
