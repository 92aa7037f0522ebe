import { nativeAddon } from '../../lib/native.js'

// The sanitized build where a run names one: loaded before a test file asks for the usual one.
const directory = process.env['LLAMERO_TEST_ADDON']
if (directory !== undefined) nativeAddon({ directory })
