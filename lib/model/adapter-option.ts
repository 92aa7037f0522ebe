import { invalidOption } from '../chat/index.js'
import { Adapter, type ScaledAdapter } from './adapter.js'
import type { AdapterSet } from './adapter-set.js'
import { number } from './option-kinds.js'
import type { OptionRule } from './option-rule.js'

const most = 16

/** The rule of an option that lists adapters, alone or with their scales. */
export function scaledAdapters(doc: string): OptionRule<AdapterSet> {
  const range = `an array of up to ${most} adapters or { adapter, scale }, each adapter once`
  const scale = number({ min: -100, max: 100, default: 1, doc: 'How strongly it works.' })
  return {
    unit: '',
    range,
    default: [],
    doc,
    read(value, name, limits) {
      if (!Array.isArray(value) || value.length > most) throw invalidOption(name, range, value)
      const list = Array.from(value as unknown[], (entry, index) => {
        const at = `${name}[${index}]`
        if (entry instanceof Adapter) return { adapter: entry, scale: scale.default }
        const given = entry as Partial<ScaledAdapter> | null | undefined
        const known = typeof given === 'object' && given !== null && Object.keys(given).every(isField)
        if (!known || !(given.adapter instanceof Adapter))
          throw invalidOption(at, 'an adapter or { adapter, scale }', entry)
        const read = given.scale === undefined ? scale.default : scale.read(given.scale, `${at}.scale`, limits)
        return { adapter: given.adapter, scale: read }
      })
      const twice = list.findIndex(({ adapter }, index) => list.findIndex((other) => other.adapter === adapter) < index)
      if (twice !== -1) throw invalidOption(`${name}[${twice}]`, 'another adapter than those before it', value[twice])
      return list
    },
  }
}

const isField = (name: string) => name === 'adapter' || name === 'scale'
