import { homedir } from 'node:os'
import { contract, findings, repository, sourceFiles } from './source-file.js'

const lib = sourceFiles(['lib'], /\.ts$/)

contract('only lib/cli/main.ts reads the environment and the arguments', {
  files: lib,
  breaches: (files) =>
    findings(
      files.filter(({ path }) => path !== 'lib/cli/main.ts'),
      /\bprocess\s*(\.|\?\.|\[['"])\s*(env|argv)\b(?!\[['"]GGML_NO_BACKTRACE['"]\] = )|\{[^}]*\b(env|argv)\b[^}]*\}\s*=\s*process\b|from ['"](node:)?process['"]/g,
    ),
  breaks: [
    ['lib/native.ts', 'const path = process.env.LLAMERO_ADDON'],
    ['lib/native.ts', `const path = process['env'].LLAMERO_ADDON`],
    ['lib/native.ts', 'const { env } = process'],
    ['lib/cli/run.ts', 'const [, , name] = process.argv'],
    ['lib/cli/run.ts', `import { env } from 'node:process'`],
  ],
  keeps: [
    ['lib/cli/main.ts', 'const path = process.env.LLAMERO_MODELS'],
    ['lib/native.ts', '// process.env is read elsewhere'],
    ['lib/native.ts', `process.env['GGML_NO_BACKTRACE'] = '1'`],
  ],
})

contract('the library never prints', {
  files: lib,
  breaches: (files) =>
    findings(
      files.filter(({ path }) => !path.startsWith('lib/cli/')),
      /\bconsole\.\w+|\bprocess\.(stdout|stderr|emitWarning)\b/g,
    ),
  breaks: [
    ['lib/model/model.ts', `console.log('loaded')`],
    ['lib/transfer/pull.ts', `process.stderr.write('.')`],
  ],
  keeps: [
    ['lib/cli/run.ts', `process.stdout.write('.')`],
    ['lib/model/model.ts', '/** process.stdout.write(part.text) */'],
  ],
})

contract('native code never prints', {
  files: sourceFiles(['native'], /\.(cc|h)$/),
  breaches: (files) =>
    findings(
      // A program of its own, for tests: it prints what it found.
      files.filter(({ path }) => !/^native\/(kernel|media|perplexity)_check\//.test(path)),
      /\bstd::(cout|cerr|clog)\b|\b(printf|fprintf|puts|fputs|perror)\s*\(/g,
    ),
  breaks: [
    ['native/model.cc', 'std::cerr << "loading";'],
    ['native/model.cc', 'fprintf(stderr, "loading");'],
  ],
  keeps: [['native/model.cc', 'snprintf(buffer, sizeof buffer, "%d", n); // printf("x")']],
})

contract('the library never evaluates code or patterns made of data', {
  files: lib,
  breaches: (files) => findings(files, /\beval\s*\(|\bnew Function\b|\bRegExp\s*\(|['"](node:)?vm['"]/g),
  breaks: [
    ['lib/chat/template.ts', 'eval(source)'],
    ['lib/chat/template.ts', `const render = new Function('messages', source)`],
    ['lib/store/name.ts', 'const pattern = new RegExp(text)'],
    ['lib/chat/template.ts', `import { runInNewContext } from 'node:vm'`],
  ],
})

contract('exports have names', {
  files: sourceFiles(['lib', 'bench', 'examples'], /\.(ts|mjs)$/),
  breaches: (files) => findings(files, /\bexport default\b|\bas default\b/g),
  breaks: [['lib/model/model.ts', 'export default class Model {}']],
})

const everywhere = sourceFiles(
  [
    '.ci',
    '.github',
    'bench',
    'docs',
    'examples',
    'lib',
    'llama.cpp/README.md',
    'llama.cpp/pin.json',
    'llama.cpp/restore.mjs',
    'native',
    'test',
  ].concat([
    'CMakeLists.txt',
    'CONTRIBUTING.md',
    'README.md',
    'SECURITY.md',
    'binding.gyp',
    'package.json',
    'package-lock.json',
  ]),
  /\.(cc|gyp|h|js|json|md|mjs|patch|sh|ts|txt|yml)$|\.ci\/run$/,
)
const plain = ({ text }: { readonly text: string }): string => text

contract('no package registry is named: the clients know theirs', {
  files: everywhere,
  breaches: (files) =>
    findings(files, /\b(registry\.(npmjs|yarnpkg)\.|npmjs\.com\/|pypi\.org\b|pythonhosted\.)|"resolved"\s*:/g, plain),
  breaks: [
    ['lib/transfer/pip.ts', `const index = 'https://${['pypi', 'org'].join('.')}/simple'`],
    ['package-lock.json', JSON.stringify({ resolved: 'https://mirror.example/vitest.tgz' })],
  ],
})

contract('no path of a machine is named', {
  files: everywhere,
  breaches: (files) =>
    files.flatMap(({ path, text }) =>
      [repository, `${homedir()}/`]
        .filter(
          (folder) =>
            folder.length > 2 &&
            text
              .split(folder)
              .slice(1)
              .some((rest) => /^[\w.]/.test(rest)),
        )
        .concat(text.match(/(?<=["'`\s(=:])\/(work|root)\/\w+/g) ?? [])
        .map((found) => `${path}: ${found}`),
    ),
  breaks: [
    ['bench/run.mjs', `const model = '${homedir()}/model.gguf'`],
    ['test/store/store.test.ts', `open('${['', 'work', 'models'].join('/')}')`],
  ],
  keeps: [
    ['README.md', 'Models lie in `~/.ollama/models`.'],
    ['test/model/grammar.test.ts', `expect(message).toMatch(${['', 'root', ''].join('/')})`],
  ],
})

contract('the folders of the store are joined in one file', {
  files: lib,
  breaches: (files) => {
    const homes = [
      ...new Set(
        findings(files, /\bjoin\([^()]*['"`](blobs|manifests)['"`]|\/(blobs|manifests)\//g).map(
          (found) => found.split(': ')[0] ?? '',
        ),
      ),
    ]
    return homes.filter((path, index) => index > 0 || !path.startsWith('lib/store/'))
  },
  breaks: [['lib/transfer/pull.ts', `join(directory, 'blobs', digest)`]],
  keeps: [
    ['lib/store/layout.ts', `join(directory, 'blobs', digest)`],
    ['lib/transfer/index.ts', `if ('manifests' in document) throw refuse()`],
  ],
})
