import type { GoMessage } from './conversation.js'

/** Messages as templates get them, and the instructions for the system among them. */
export interface Collated {
  readonly system: string
  readonly messages: readonly GoMessage[]
}

/** What stands between two texts that become one. */
const separator = '\n\n'

/**
 * Merges neighbours of one role, except results of tools, and gathers what the system says. Unlike in Ollama, the second
 * message's thoughts, calls and images are not lost.
 */
export function collate(messages: readonly GoMessage[]): Collated {
  const collated: GoMessage[] = []
  for (const message of messages) {
    const last = collated.at(-1)
    if (last?.role === message.role && message.role !== 'tool') collated[collated.length - 1] = merged(last, message)
    else collated.push(message)
  }
  const system = messages.filter(({ role }) => role === 'system').map(({ content }) => content)
  return { system: system.join(separator), messages: collated }
}

function merged(first: GoMessage, second: GoMessage): GoMessage {
  const thoughts = [first.thinking, second.thinking].filter(Boolean)
  return {
    ...first,
    content: first.content + separator + second.content,
    thinking: thoughts.length > 0 ? thoughts.join(separator) : undefined,
    toolCalls: [...(first.toolCalls ?? []), ...(second.toolCalls ?? [])],
    images: (first.images ?? 0) + (second.images ?? 0),
  }
}
