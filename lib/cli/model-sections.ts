import { formatParameters, type ModelDetails } from '../store/index.js'
import { metadataText } from './metadata-text.js'
import { columns } from './table.js'

/** A title with its rows. */
interface Section {
  readonly title: string
  readonly rows: readonly (readonly string[])[]
}

/** Lines of a text that a section shows. */
const shownLines = 2

/** What `show` prints: sections with Ollama's titles, in its order; those without content are left out. */
export function modelSections(details: ModelDetails, isVerbose: boolean): string {
  const sections: readonly Section[] = [
    { title: 'Model', rows: modelRows(details) },
    { title: 'Capabilities', rows: details.capabilities.map((name) => [name]) },
    { title: 'Projector', rows: projectorRows(details) },
    { title: 'Parameters', rows: parameterRows(details) },
    ...(isVerbose ? verboseSections(details) : []),
    { title: 'System', rows: head(details.system) },
    { title: 'License', rows: head(details.licenses.join('\n')) },
  ]
  return sections
    .filter(({ rows }) => rows.length > 0)
    .map(({ title, rows }) => `  ${title}\n${columns(rows, '    ')}\n`)
    .join('')
}

function modelRows(details: ModelDetails): string[][] {
  const { family, parameterSize, contextLength, embeddingLength, quantization, requires } = details
  const rows = [
    ['architecture', family],
    ['parameters', parameterSize],
    ['context length', contextLength > 0 ? String(contextLength) : ''],
    ['embedding length', embeddingLength > 0 ? String(embeddingLength) : ''],
    ['quantization', quantization],
    ['requires', requires],
  ]
  return rows.filter(([, value]) => value !== '')
}

function projectorRows({ projector }: ModelDetails): string[][] {
  if (projector === undefined) return []
  const { architecture, parameterSize, embeddingLength, dimensions } = projector
  const rows = [
    ['architecture', architecture],
    ['parameters', parameterSize],
    ['embedding length', embeddingLength > 0 ? String(embeddingLength) : ''],
    ['dimensions', dimensions > 0 ? String(dimensions) : ''],
  ]
  return rows.filter(([, value]) => value !== '')
}

// As Ollama does it: what stands in the text form, cut into words.
function parameterRows({ parameters }: ModelDetails): string[][] {
  const text = formatParameters(parameters)
  return text === '' ? [] : text.split('\n').map((line) => line.trim().split(/\s+/))
}

function verboseSections({ header, parameterCount }: ModelDetails): Section[] {
  if (header === undefined) return []
  const metadata = [...header.metadata]
    .filter(([key]) => key !== 'general.name' && key !== 'tokenizer.chat_template')
    .map(([key, value]) => [key, metadataText(value)])
  metadata.push(['general.parameter_count', String(parameterCount)])
  return [
    { title: 'Metadata', rows: metadata.sort(([a = ''], [b = '']) => (a < b ? -1 : 1)) },
    {
      title: 'Tensors',
      rows: header.tensors.map(({ name, type, dimensions }) => [name, type, `[${dimensions.join(' ')}]`]),
    },
  ]
}

function head(text: string): string[][] {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return [...lines.slice(0, shownLines), ...(lines.length > shownLines ? ['...'] : [])].map((line) => [line])
}
