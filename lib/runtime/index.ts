export { load, type LoadOptions } from './load.js'
export { defaultModelsDirectory, type ModelsEnvironment } from './models-directory.js'
