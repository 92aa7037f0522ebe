export { create, type Creation, type CreateOptions } from './create.js'
