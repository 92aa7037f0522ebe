// Many short requests on one engine, then many loads and closes, with the memory after each share of them that the process holds.
import { bareAddon, createEngine, Inbox, loadModel, requestFor, tokenize } from './bare-addon.mjs'

const { directory, path, requests, loads, shares } = JSON.parse(process.argv[2])
const addon = bareAddon(directory)

async function manyRequests(count) {
  const model = await loadModel(addon, path)
  const inboxes = { current: new Inbox() }
  const options = { maxSequences: 16, cachedSequences: 4, cacheBytes: 2 ** 20 }
  const engine = await createEngine(addon, model, options, (news) => inboxes.current.take(news))
  const prompt = await tokenize(addon, model, 'K1')
  // Now and then a longer one, which goes to main memory when it has ended.
  const longer = await tokenize(addon, model, 'K1'.padEnd(120, '.'))
  for (let done = 0; done < count; done += 16) {
    inboxes.current = new Inbox()
    const ids = Array.from({ length: 16 }, (_, index) =>
      addon.engineSubmit(engine, requestFor(prompt, { maxTokens: 1 + (index % 2), stop: ['zz'] })),
    )
    if (done % 64 === 0) {
      ids.push(addon.engineSubmit(engine, requestFor(longer, { maxTokens: 1, cacheKey: String(done % 1024) })))
    }
    await Promise.all(ids.map((id) => inboxes.current.ended(id)))
  }
  await addon.engineClose(engine)
  addon.modelClose(model)
}

async function manyLoads(count) {
  for (let done = 0; done < count; done++) {
    const model = await loadModel(addon, path)
    await addon.engineClose(await createEngine(addon, model))
    addon.modelClose(model)
  }
}

async function residentAfterEachShare(total, perform) {
  const resident = []
  for (let share = 0; share < shares; share++) {
    await perform(Math.ceil(total / shares))
    for (let collections = 0; collections < 3; collections++) {
      globalThis.gc()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    const { rss, heapTotal } = process.memoryUsage()
    resident.push(rss - heapTotal)
  }
  return resident
}

const afterRequests = await residentAfterEachShare(requests, manyRequests)
const afterLoads = await residentAfterEachShare(loads, manyLoads)
console.log(JSON.stringify({ afterRequests, afterLoads }))
