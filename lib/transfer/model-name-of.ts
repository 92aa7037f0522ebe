import type { ModelName } from '../store/index.js'
import { fileModelName } from './file-door.js'
import { hubModelName } from './hub-reference.js'
import { npmModelName } from './npm-reference.js'
import { packageModelName } from './package-reference.js'
import type { Reference } from './reference.js'
import { urlModelName } from './url-reference.js'

/** The name under which the store keeps what a reference means, unless another one is asked for. */
export function modelNameOf(reference: Reference): ModelName {
  switch (reference.type) {
    case 'name':
      return reference.name
    case 'hub':
      return hubModelName(reference)
    case 'url':
      return urlModelName(reference)
    case 'pypi':
      return packageModelName(reference)
    case 'npm':
      return npmModelName(reference)
    case 'file':
      return fileModelName(reference.path)
    default:
      return reference satisfies never
  }
}
