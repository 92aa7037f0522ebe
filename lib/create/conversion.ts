import { resolve } from 'node:path'
import { convert, convertAdapter, type ConvertOptions } from '../convert/index.js'
import { summarizeModel, type GgufFile } from '../gguf/index.js'
import { quantizationType, quantize, type QuantizeOptions } from '../runtime/index.js'
import { checkModel, mediaTypes, type Layer } from '../store/index.js'
import { ByteMeter } from '../transfer/index.js'
import { addFile, type CreateContext } from './add-file.js'

/** How weights are converted on their way into the store. */
export interface ConversionOptions extends Pick<
  QuantizeOptions,
  'allowRequantize' | 'imatrix' | 'threads' | 'probe' | 'probeDirectory'
> {
  /** The type that weights are converted to, such as `q4_K_M`, in any case; see `quantize`. @default as they are */
  readonly quantize?: string | undefined
}

/** The type that weights must be converted to: none for those that have it; `COPY` joins the parts of a split model. */
export function conversionOf(header: GgufFile, { quantize: wanted }: ConversionOptions): string | undefined {
  const { name } = quantizationType(wanted ?? 'COPY')
  if (name !== 'COPY' && name !== summarizeModel(header).quantization) return name
  return header.parts === undefined ? undefined : 'COPY'
}

/** Converts the weights in a file and puts the result into the store. Errors: those of `quantize`. */
export async function addConverted(
  context: CreateContext,
  { path, header }: { readonly path: string; readonly header: GgufFile },
  type: string,
  { quantize: _type, ...options }: ConversionOptions,
): Promise<Layer> {
  const { store, signal, report, scratch } = context
  const from = summarizeModel(header).quantization
  const status = type === 'COPY' ? 'validating GGUF model' : `quantizing ${from} model to ${type}`
  const total = header.sizeBytes
  const meter = new ByteMeter((news) => report({ status, ...news }))
  await store.requireSpace(total, status)
  const target = await scratch.file()
  // A relative path could be read as a name.
  await quantize(resolve(path), target, {
    ...options,
    type,
    signal,
    onProgress: (fraction) => meter.update(Math.round(fraction * total), total),
  })
  return addFile(context, target, mediaTypes.model, (copy) => checkModel(copy, signal))
}

/** Converts a folder of Hugging Face's layout; the path of the GGUF file. Errors: those of `convert`. */
export async function convertFolder(context: CreateContext, folder: string): Promise<string> {
  const target = await context.scratch.file()
  await convert(folder, target, converting(context, 'converting model'))
  return target
}

/** Converts a folder of PEFT's layout for a model; the path of the GGUF file. Errors: those of `convertAdapter`. */
export async function convertAdapterFolder(context: CreateContext, folder: string, base: string): Promise<string> {
  const target = await context.scratch.file()
  await convertAdapter(folder, base, target, converting(context, 'converting adapter'))
  return target
}

function converting({ signal, report }: CreateContext, status: string): ConvertOptions {
  const meter = new ByteMeter((news) => report({ status, ...news }))
  return { signal, onProgress: ({ completedBytes, totalBytes }) => meter.update(completedBytes, totalBytes) }
}
