import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A certificate of a private authority. */
export interface PrivateCertificate {
  /** Path of the authority's own certificate, for those who shall trust it. */
  readonly authority: string
  readonly certPath: string
  readonly keyPath: string
  readonly cert: Buffer
  readonly key: Buffer
}

/** Makes a certificate authority and a certificate of it for hosts; undefined without `openssl`. */
export function privateCertificate(directory: string, hosts: readonly string[]): PrivateCertificate | undefined {
  const at = (name: string) => join(directory, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' })
  const newKey = ['-newkey', 'rsa:2048', '-nodes', '-days', '2']
  try {
    openssl('req', '-x509', ...newKey, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-subj', '/CN=authority')
    const names = hosts.map((host) => `${/^[\d.]+$/.test(host) ? 'IP' : 'DNS'}:${host}`).join(',')
    openssl(
      ...['req', '-x509', ...newKey, '-keyout', at('key.pem'), '-out', at('cert.pem'), '-subj', '/CN=server'],
      ...['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-addext', `subjectAltName=${names}`],
      ...['-addext', 'basicConstraints=critical,CA:FALSE'],
    )
  } catch {
    return undefined
  }
  const [certPath, keyPath] = [at('cert.pem'), at('key.pem')]
  return { authority: at('ca.pem'), certPath, keyPath, cert: readFileSync(certPath), key: readFileSync(keyPath) }
}
