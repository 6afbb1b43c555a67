// Preloaded into the command line of the tests, and imported by them. What it adapts is listed in ../README.md.
import dns from 'node:dns'

const reach = globalThis.fetch
globalThis.fetch = (input, init) =>
  reach(String(input).replace(/^https:\/\/api\.github\.com/, process.env.WAYBILL_TEST_GITHUB ?? 'http://127.0.0.1:1'), init)

// The emulator's API has an address below .localhost, which browsers know to be this machine and the system's resolver does not.
const { lookup } = dns
dns.lookup = (name, ...rest) => lookup(name.endsWith('.localhost') ? '127.0.0.1' : name, ...rest)
