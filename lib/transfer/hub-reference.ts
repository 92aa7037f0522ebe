import { LlameroError } from '../errors.js'
import { checkName, defaultName, type ModelName } from '../store/index.js'
import { plainText, shortHash } from './plain-name.js'

/** A GGUF file in a repository of Hugging Face. */
export interface HubReference {
  readonly type: 'hub'
  readonly text: string
  /** As it was typed, in lower case: both names lead to the same repositories. */
  readonly host: 'hf.co' | 'huggingface.co'
  readonly owner: string
  readonly repository: string
  /** A quantisation such as `Q4_K_M`, or a file of the repository; the repository's usual one if left out. */
  readonly choice?: string
}

const place = /^(?:https?:\/\/)?(?:www\.)?(hf\.co|huggingface\.co)\/+(.*)$/i
// What the hub itself allows, so that nothing else becomes part of an address.
const part = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?$/

/** Whether a text names a repository of Hugging Face. */
export function isHubReference(text: string): boolean {
  return place.test(text)
}

/**
 * Reads `hf.co/org/repo[:quantisation or file]`, `huggingface.co/…`, and the address of a file as a browser shows it.
 * Errors: `ERR_OPTION_INVALID`.
 */
export function parseHubReference(text: string): HubReference {
  const [, host = '', rest = ''] = place.exec(text) ?? []
  const [, owner = '', repository = '', end = ''] = /^([^/:?#]+)\/([^/:?#]+)(.*)$/s.exec(rest) ?? []
  const choice = chosen(end)
  if (!part.test(owner) || !part.test(repository) || choice === undefined) {
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      `Expected a repository such as "hf.co/org/repo", "hf.co/org/repo:Q4_K_M" or "hf.co/org/repo:file.gguf", but got ${JSON.stringify(text.slice(0, 200))}.`,
    )
  }
  return {
    type: 'hub',
    text,
    host: host.toLowerCase() === 'hf.co' ? 'hf.co' : 'huggingface.co',
    owner,
    repository,
    ...(choice !== '' && { choice }),
  }
}

/** Undefined for what cannot be understood, '' for no choice. */
function chosen(end: string): string | undefined {
  if (/^(\/|\/tree\/main\/?)?$/.test(end) || /^:latest$/i.test(end)) return ''
  const [, colon, page] = /^(?::([^:?#]{1,500})|\/(?:resolve|blob)\/main\/([^?#]{1,1000})(?:[?#].*)?)$/s.exec(end) ?? []
  const choice = colon ?? decoded(page ?? '')
  return choice === undefined || choice === '' || /\p{Cc}/u.test(choice) ? undefined : choice
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** The name under which Ollama would store it too; a file in a folder gets a hash, since a tag has no `/`. */
export function hubModelName({ host, owner, repository, choice = defaultName.tag }: HubReference): ModelName {
  const plain = plainText(choice, 80)
  const tag = plain === choice && /^[A-Za-z0-9_]/.test(plain) ? plain : `${shortHash(choice)}-${plainText(choice, 60)}`
  return checkName({ scheme: 'https', host, namespace: owner, model: repository, tag })
}
