/**
 * Who calls the servers: `Pool.dispatch` of undici, the cheapest client of the first benchmark, in a process of its own for
 * each server.
 *
 * Each of them begins with the same customer, so that both servers get the same requests in the same order.
 */
import * as Client from "../Client.js"
import type { Open } from "../Contender.js"
import * as UndiciDispatch from "../contenders/UndiciDispatch.js"
import * as Plain from "./Plain.js"

/** The servers. */
export const servers = ["plain", "simulator"] as const

/** The name of a server. */
export type Server = (typeof servers)[number]

/** Opens the client of a server: what a right answer is differs, and nothing else. */
export const open: Readonly<Record<Server, Open>> = {
  plain: UndiciDispatch.openWith(Plain.ended),
  simulator: UndiciDispatch.open
}

const isServer = (word: string | undefined): word is Server => servers.some((name) => name === word)

/** The process: `load <server> <origin> <milliseconds to warm up>`. */
export const main = async ([server, origin, warmUp]: ReadonlyArray<string>): Promise<void> => {
  if (!isServer(server) || origin === undefined) throw new Error(`there is no server ${server}`)
  await Client.serve(open[server](origin), Number(warmUp))
}
