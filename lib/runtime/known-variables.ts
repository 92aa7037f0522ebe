/** The environment, as a program reads and passes it on. */
export type Variables = Readonly<Record<string, string | undefined>>

/** Proxies; programs know them in either case. */
const proxies = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY']

/** Variables that llamero, or what it loads, obeys. */
const known: readonly string[] = [
  ...['LLAMERO_MODELS', 'OLLAMA_MODELS'],
  ...proxies,
  ...proxies.map((name) => name.toLowerCase()),
  ...['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'DOCKER_CONFIG'],
  ...['HF_ENDPOINT', 'HF_HOME', 'HF_TOKEN', 'HF_TOKEN_PATH', 'HUGGING_FACE_HUB_TOKEN', 'XDG_CACHE_HOME'],
  'CUDA_VISIBLE_DEVICES',
]

const hidden = '…'

/** Those variables that are set and obeyed, without their secrets. */
export function obeyedVariables(variables: Variables): Record<string, string> {
  const entries = known.map((name) => [name, variables[name]] as const).filter(([, value]) => value)
  return Object.fromEntries(entries.map(([name, value = '']) => [name, withoutSecrets(name, value)]))
}

/** Names of variables that are set and look as if llamero obeyed them. */
export function strangeVariables(variables: Variables): string[] {
  return Object.keys(variables)
    .filter((name) => /^(LLAMERO|OLLAMA)_/.test(name) && variables[name] && !known.includes(name))
    .sort()
}

function withoutSecrets(name: string, value: string): string {
  if (name.endsWith('TOKEN')) return hidden
  if (!/proxy$|^HF_ENDPOINT$/i.test(name)) return value
  // Also of what is no address: whoever wrote it may have meant a user and a password.
  return value.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/i, `$1${hidden}@`).replace(/\?.*$/, `?${hidden}`)
}
