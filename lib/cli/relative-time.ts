/** How far a moment lies from now, in Ollama's words: `3 hours ago`, `About a minute from now`. */
export function relativeTime(moment: Date, now: Date): string {
  const milliseconds = now.getTime() - moment.getTime()
  return milliseconds < 0 ? `${span(-milliseconds)} from now` : `${span(milliseconds)} ago`
}

function span(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  if (seconds < 1) return 'Less than a second'
  if (seconds < 60) return count(seconds, 'second')
  const minutes = Math.floor(seconds / 60)
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return count(minutes, 'minute')
  const hours = Math.round(seconds / 3600)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return count(hours, 'hour')
  const days = Math.floor(hours / 24)
  if (days < 14) return count(days, 'day')
  if (days < 60) return count(Math.floor(days / 7), 'week')
  if (days < 730) return count(Math.floor(days / 30), 'month')
  return count(Math.floor(days / 365), 'year')
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`
}
