/**
 * Loaded into every process before the CLI: a name below `.invalid` is answered at once with what RFC 6761 promises of it,
 * that nobody has it. A machine without a name server in reach would wait for many seconds first, and then say something else.
 */
const dns = require("node:dns")
const { syncBuiltinESMExports } = require("node:module")

const { lookup } = dns
const lookupPromise = dns.promises.lookup

const isNobodys = (hostname) => /\.invalid\.?$/i.test(String(hostname))

const notFound = (hostname) =>
  Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), {
    errno: -3008,
    code: "ENOTFOUND",
    syscall: "getaddrinfo",
    hostname
  })

dns.lookup = (hostname, ...more) => {
  if (!isNobodys(hostname)) return lookup(hostname, ...more)
  process.nextTick(more.at(-1), notFound(hostname))
  return {}
}

dns.promises.lookup = (hostname, ...more) =>
  isNobodys(hostname) ? Promise.reject(notFound(hostname)) : lookupPromise(hostname, ...more)

// So that `import { lookup } from "node:dns/promises"` gets it as well.
syncBuiltinESMExports()
