import { readCertificates } from './certificates.js'
import type { HttpSettings } from './http-client.js'
import { proxyFromVariables, type ProxyVariables } from './http-proxy.js'
import { isLoopback } from './private-address.js'
import { transferFailure } from './transfer-failure.js'

/** How servers are reached by the variables that curl and OpenSSL know. */
export async function httpSettings(
  variables: ProxyVariables,
  advice: NonNullable<HttpSettings['advice']>,
): Promise<HttpSettings> {
  const bundle = variables.SSL_CERT_FILE || variables.SSL_CERT_DIR
  return {
    ca: bundle ? await readCertificates(bundle) : undefined,
    proxyFor: (url) => proxyFromVariables(url, variables),
    advice,
  }
}

/** Errors: `ERR_REGISTRY` for plain http that nobody allowed, unless it stays on this machine. */
export function requireEncryption(url: URL, isInsecureAllowed: boolean): void {
  if (url.protocol === 'https:' || isInsecureAllowed || isLoopback(url)) return
  throw transferFailure(
    'refused',
    'insecure protocol http: the model would be transferred without encryption. Allow it with --insecure, or use https.',
  )
}
