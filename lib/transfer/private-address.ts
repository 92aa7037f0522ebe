import { lookup as lookupHost, type LookupAddress } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { transferFailure } from './transfer-failure.js'

// Addresses that mean this machine, its neighbours, or nobody (IANA's special-purpose registries).
const special = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  special.addSubnet(network, prefix, 'ipv4')
}
for (const [network, prefix] of [
  ['::', 127],
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  special.addSubnet(network, prefix, 'ipv6')
}

/** Whether an IP address is none of the public internet's; an IPv4 address may be written inside an IPv6 one. */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && special.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/** Whether an address means this machine itself, as it is written. */
export function isLoopback({ hostname }: URL): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/i.test(hostname)
}

/** Whether the host of an address is written as a private IP address, or as a name that always means this machine. */
export function hasPrivateHost({ hostname }: URL): boolean {
  return /(^|\.)localhost\.?$/i.test(hostname) || isPrivateAddress(hostname.replace(/^\[|\]$/g, ''))
}

/**
 * Looks up names like Node, but fails for one that leads to a private address: what is checked here is what the socket
 * then connects to, so that a name cannot mean two things.
 */
export function publicLookup(lookup: typeof lookupHost = lookupHost): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, found: LookupAddress[]) => {
      const [first] = found
      if (error) callback(error, '')
      else if (first === undefined || found.some(({ address }) => isPrivateAddress(address)))
        callback(privateRedirect(), '')
      else if (options.all === true) callback(null, found)
      else callback(null, first.address, first.family)
    })
  }
}

/** What is thrown when a public server leads to a private one. */
export function privateRedirect(): Error {
  return transferFailure('protocol', 'The server redirected to a private address, which must not be followed.')
}
