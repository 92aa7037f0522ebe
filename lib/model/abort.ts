const listeners = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Calls back once when the signal aborts; the returned function ends that. However many generations share a signal, it
 * gets one listener of ours: Node prints a warning at the eleventh.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let callbacks = listeners.get(signal)
  if (callbacks === undefined) {
    const all = new Set<() => void>()
    const announce = (): void => {
      listeners.delete(signal)
      for (const call of all) call()
    }
    signal.addEventListener('abort', announce, { once: true })
    listeners.set(signal, all)
    callbacks = all
  }
  const all = callbacks
  all.add(callback)
  return () => void all.delete(callback)
}
