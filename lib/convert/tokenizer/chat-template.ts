import { invalidSource } from '../fault.js'
import { Fields } from '../json.js'
import { limits } from '../limits.js'
import { text, type Entries } from '../metadata.js'
import type { SourceDirectory } from '../source-directory.js'

const key = 'tokenizer.chat_template'

/** The chat template, and further ones by name: in a file of their own, or else in tokenizer_config.json. */
export async function chatTemplates(directory: SourceDirectory, tokenizerConfig: Fields): Promise<Entries> {
  const file = await directory.read('chat_template.jinja', limits.textBytes)
  const declared =
    file?.toString('utf8') ??
    (await directory.json('chat_template.json'))?.raw('chat_template') ??
    tokenizerConfig.raw('chat_template')
  if (declared === undefined) return {}
  if (typeof declared === 'string') return { [key]: text(declared) }
  if (!Array.isArray(declared)) throw invalidSource('its chat template is neither a text nor a list of named texts.')
  return Object.fromEntries(
    declared.map((value) => {
      const fields = new Fields(value, 'a chat template')
      const name = fields.required('name', fields.string('name'))
      const template = text(fields.required('template', fields.string('template')))
      return [name === 'default' ? key : `${key}.${name}`, template]
    }),
  )
}
