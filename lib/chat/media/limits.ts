/** Most bytes of a file. */
export const mostBytes = { image: 20 * 2 ** 20, audio: 30 * 2 ** 20 } as const

/** Most pixels along a side of an image. */
export const mostSide = 8192

/** Most pixels of an image: what decoders take for one is some hundred MB. */
export const mostPixels = 32_000_000

/** How many times longer than the other one a side may be; some projectors fail beyond. */
export const mostAspect = 200

/** Longest audio. */
export const mostSeconds = 30 * 60
