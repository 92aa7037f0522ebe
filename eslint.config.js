import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

const defaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'Named exports only: a name that is the same everywhere can be searched for.',
}
const environment = {
  // Setting a variable for llama.cpp is no reading.
  selector:
    "MemberExpression[object.name='process'][property.name=/^(env|argv)$/]:not(AssignmentExpression > MemberExpression.left > MemberExpression.object)",
  message: 'Only lib/cli/main.ts reads the environment and the arguments; take what you need as an option.',
}
const printing = {
  selector: "MemberExpression[object.name='process'][property.name=/^(stdout|stderr)$/]",
  message: 'The library never prints; throw, return or report through an option.',
}
const builtPattern = {
  selector: ":matches(NewExpression, CallExpression)[callee.name='RegExp']",
  message: 'Write a regular expression literal: a pattern built from data can hang or mean something else.',
}
const codeModules = ['vm', 'node:vm'].map((name) => ({ name, message: 'llamero never evaluates code.' }))
const processModules = ['process', 'node:process'].map((name) => ({
  name,
  message: 'Use the global process, where the rules about the environment can see it.',
}))

export default defineConfig(
  globalIgnores([
    '.cmake/',
    'build/',
    'dist/',
    'docs/api/',
    'coverage/',
    'prebuilds/',
    'bench/results/',
    'llama.cpp/source/',
  ]),
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-eval': 'error',
      'no-new-func': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      'no-restricted-imports': ['error', { paths: codeModules }],
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, varsIgnorePattern: '^_' }],
      // `signal.reason` may be anything, and is passed on as it is.
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingAny: false, allowThrowingUnknown: true }],
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: ['lib/**/*.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-imports': ['error', { paths: [...codeModules, ...processModules] }],
      'no-restricted-syntax': ['error', defaultExport, environment, printing, builtPattern],
    },
  },
  {
    files: ['lib/cli/**/*.ts'],
    rules: { 'no-console': 'off', 'no-restricted-syntax': ['error', defaultExport, environment, builtPattern] },
  },
  {
    files: ['lib/cli/main.ts'],
    rules: { 'no-restricted-syntax': ['error', defaultExport, builtPattern] },
  },
  {
    // Tests feed wrong types on purpose and know that what they look up is there.
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', defaultExport],
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
)
