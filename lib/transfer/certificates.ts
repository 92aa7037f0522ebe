import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** A file of certificates in PEM, or a folder of them. Undefined, which means Node's own, if there is nothing to read. */
export async function readCertificates(path: string): Promise<readonly string[] | undefined> {
  try {
    if (!(await stat(path)).isDirectory()) return [await readFile(path, 'utf8')]
    const names = (await readdir(path)).filter((name) => /\.(pem|crt|cer|\d)$/i.test(name))
    const texts = await Promise.all(names.map((name) => readFile(join(path, name), 'utf8').catch(() => '')))
    const certificates = texts.filter((text) => text.includes('-----BEGIN'))
    return certificates.length === 0 ? undefined : certificates
  } catch {
    return undefined
  }
}
