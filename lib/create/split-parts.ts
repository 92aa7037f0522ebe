const partName = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/i

/** Paths without those of later parts of split models whose first part is among them: the first stands for all. */
export function withoutLaterParts(paths: readonly string[]): string[] {
  const all = new Set(paths)
  return paths.filter((path) => {
    const [, stem, number, count] = partName.exec(path) ?? []
    return number === undefined || number === '00001' || !all.has(`${stem}-00001-of-${count}.gguf`)
  })
}
