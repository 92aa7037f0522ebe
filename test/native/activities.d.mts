import type { Addon } from '../../lib/native-types.js'

export interface Setting {
  readonly addon: Addon
  readonly path: string
  readonly kept: unknown[]
  readonly tokens: number
}

export const activities: Readonly<Record<string, (setting: Setting) => Promise<void>>>
