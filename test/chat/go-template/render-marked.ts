import { parseGoTemplate, renderGoTemplate, type GoConversation } from '../../../lib/chat/go-template/index.js'

/** The prompt, with what is not trusted between brackets. */
export function render(source: string, conversation: GoConversation): string {
  const parts = renderGoTemplate(parseGoTemplate(source), conversation)
  return parts.map(({ text, trusted }) => (trusted ? text : `⟦${text}⟧`)).join('')
}
