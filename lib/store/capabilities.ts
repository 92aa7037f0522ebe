import { goTemplateCapabilities, parseGoTemplate } from '../chat/index.js'
import { LlameroError } from '../errors.js'
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
  const go = goCapabilities(template)
  const found: readonly (readonly [Capability, boolean])[] = [
    ['completion', header !== undefined && !has('pooling_type')],
    ['embedding', has('pooling_type')],
    ['vision', has('vision.block_count') || projector !== undefined],
    ['audio', has('audio.block_count') || projectorHears(projector, family)],
    ['tools', go.has('tools') || /tools|tool_call/.test(chatTemplate)],
    ['insert', go.has('insert')],
    ['thinking', go.has('thinking') || templateThinks(chatTemplate) || /^gpt-?oss$/.test(family)],
  ]
  return [...new Set([...found.filter(([, isThere]) => isThere).map(([name]) => name), ...claimed])]
}

/** Of a template that cannot be parsed nothing is known; what makes a prompt of it says why. */
function goCapabilities(template: string): ReadonlySet<string> {
  if (template === '') return new Set()
  try {
    return new Set(goTemplateCapabilities(parseGoTemplate(template)))
  } catch (error) {
    if (error instanceof LlameroError) return new Set()
    throw error
  }
}
