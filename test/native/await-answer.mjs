// A process that leaves one answer unread and awaits another, then has nothing left to do: the second keeps it alive,
// the first does not. Prints what it has of each.
import { bareAddon, createEngine, Inbox, loadModel, requestFor, tokenize } from './bare-addon.mjs'

const { directory, path, maxTokens, cancelled } = JSON.parse(process.argv[2])
const addon = bareAddon(directory)
const model = await loadModel(addon, path)
const inbox = new Inbox()
const engine = await createEngine(addon, model, {}, inbox.take)
const prompt = await tokenize(addon, model, 'K1')
const unread = addon.engineSubmit(engine, requestFor(prompt, { bufferTokens: 16 }))
await inbox.begun(unread, 16)
const awaited = addon.engineSubmit(engine, requestFor(prompt, { maxTokens, bufferTokens: maxTokens }))
const text = await inbox.ended(awaited)
if (cancelled) {
  await new Promise((resolve) => setTimeout(resolve, 20))
  addon.engineCancel(engine, unread)
  await inbox.ended(unread)
}
// Reachable to the end: that it is collected must not be what lets the process end.
globalThis.kept = { engine, model }
console.log(JSON.stringify({ unread: inbox.text(unread), awaited: text, reason: inbox.finish(unread)?.reason }))
