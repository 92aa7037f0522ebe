import ts from 'typescript'
import { contract, readSource, sourceFiles, type SourceFile } from './source-file.js'

const entries = [
  'lib/index.ts',
  'lib/convert/index.ts',
  'lib/gguf/index.ts',
  'lib/modelfile/index.ts',
  'lib/store/index.ts',
].map(readSource)
const publicNames = new Set(entries.flatMap((text) => text.match(/\w+Options\b/g) ?? []))

/** Fields of public option objects without a doc comment: TypeDoc asks for the names, this asks for the fields. */
function undocumented({ path, text }: SourceFile): string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true)
  return file.statements
    .filter(ts.isInterfaceDeclaration)
    .filter(({ name }) => publicNames.has(name.text))
    .flatMap(({ name, members }) =>
      members
        .filter((member) => ts.getJSDocCommentsAndTags(member).length === 0)
        .map((member) => `${path}: ${name.text}.${member.name?.getText(file) ?? '[]'}`),
    )
}

contract('every field of public options has a doc comment', {
  files: sourceFiles(['lib'], /\.ts$/),
  breaches: (files) => files.flatMap(undocumented),
  breaks: [['lib/model/options.ts', 'export interface GenerateOptions { readonly topK?: number }']],
  keeps: [
    [
      'lib/model/options.ts',
      'export interface GenerateOptions {\n  /** 0 to the size of the vocabulary. */\n  readonly topK?: number\n}',
    ],
  ],
})
