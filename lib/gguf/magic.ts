/** Beginnings of files that people take for GGUF models, and what to do about each. */
const formats: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/^version https:\/\/git-lfs/, ': it is a Git LFS pointer, so fetch the file behind it with `git lfs pull`'],
  [/^\s*<(!doctype|html|\?xml)/i, ': it is a web page, so the download did not reach the model'],
  [/^PK\x03\x04/, ': it is a zip archive (a PyTorch checkpoint or a wheel); a GGUF file is needed'],
  [/^\x1f\x8b/, ': it is a gzip archive; unpack it first'],
  [/^(lmgg|fmgg|tjgg|algg|ggml|ggmf|ggjt|ggla)/, ': it is of a format before GGUF; convert the model again'],
  [/^.{8}\{\s*"/s, ': it looks like safetensors; convert it to GGUF first'],
  [/^\s*\{/, ': it is JSON; a GGUF file is needed'],
]

/** A guess at what a file is, to be put behind "it does not begin with 'GGUF'"; '' without one. */
export function guessFormat(start: Buffer): string {
  const text = start.toString('latin1')
  const hint = formats.find(([pattern]) => pattern.test(text))?.[1]
  if (hint !== undefined) return hint
  return /^[\t\n\r\x20-\x7e\x80-\xff]+$/.test(text) ? ': it looks like a text file' : ''
}
