export interface Gate {
  <Value>(task: () => Promise<Value>): Promise<Value>
  /** Resolves once the tasks that run now have ended. */
  settled(): Promise<unknown>
}

/** Lets so many tasks run at once, the others in their order of arrival. */
export function createGate(limit: number): Gate {
  const waiting: (() => void)[] = []
  const tasks = new Set<Promise<unknown>>()
  let running = 0
  const gate = async <Value>(task: () => Promise<Value>): Promise<Value> => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    const started = (async () => task())()
    tasks.add(started)
    try {
      return await started
    } finally {
      tasks.delete(started)
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
  return Object.assign(gate, { settled: () => Promise.allSettled(tasks) })
}
