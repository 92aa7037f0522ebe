import { acquireLock } from '../../lib/store/lock.js'

await acquireLock(process.argv[2] ?? '')
process.stdout.write('held\n')
setInterval(() => {}, 1000)
