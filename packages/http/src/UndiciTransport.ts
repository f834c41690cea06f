/**
 * The transport of Node: a pool of kept-alive connections of undici, driven through its dispatcher directly.
 *
 * One `Effect.async` a call, one handler object, one timer. No pipelining: a reset would leave the fate of every call on
 * the connection unknown. No redirect is followed and nothing is sent twice, except once more after a 401 over OAuth.
 */
import { type Response, Transport } from "@milepost/core/Transport"
import type { TransportError } from "@milepost/core/TransportError"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type Dispatcher, Pool } from "undici"
import * as BaseUrl from "./BaseUrl.js"
import type { Connection } from "./Connection.js"
import type { Direct } from "./Direct.js"
import * as caller from "./internal/caller.js"
import { announcesTooMuch, answer, type Begin, type Exchange, type Outgoing } from "./internal/exchange.js"
import * as failures from "./internal/failures.js"

type Ended = (exit: Exit.Exit<Response, TransportError>) => void

type ResponseHeaders = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

/** Why undici is told to give a call up; nobody ever sees it, so one will do. */
const abandoned = new Error("the call is over")

const noHeaders: ResponseHeaders = {}

/**
 * One call as undici's dispatcher sees it.
 *
 * `onRequestStart` comes right before the first byte is written and not a moment earlier: without it a call was
 * certainly not sent, with it it may have been executed.
 */
class Call implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | null = null
  private isOver = false
  private status = 0
  private headers = noHeaders
  private chunks: Array<Buffer> = []
  private bytes = 0
  private timer: NodeJS.Timeout | undefined = undefined
  private ended: Ended | undefined = undefined

  constructor(private readonly outgoing: Outgoing, private readonly where: string) {}

  start(pool: Pool, ended: Ended): void {
    const { body, headers, method, path, timeoutMillis } = this.outgoing
    this.ended = ended
    this.timer = setTimeout(onTimeout, timeoutMillis, this)
    pool.dispatch({ path, method, body, headers: headers as Array<string> }, this)
  }

  /** Ends the call for whoever waits for it; what comes later is ignored. */
  private end(exit: Exit.Exit<Response, TransportError>): void {
    if (this.isOver) return
    this.isOver = true
    clearTimeout(this.timer)
    this.ended?.(exit)
  }

  private giveUp(error: TransportError): void {
    this.end(Exit.fail(error))
    this.controller?.abort(abandoned)
  }

  /** Gives the call up without an answer: whoever waited has been interrupted, or has its failure already. */
  cancel(): void {
    if (this.isOver) return
    this.isOver = true
    clearTimeout(this.timer)
    this.controller?.abort(abandoned)
  }

  timeOut(): void {
    const { requestId, timeoutMillis } = this.outgoing
    this.giveUp(
      this.controller === null
        ? failures.noFreeConnection(this.where, timeoutMillis)
        : failures.timedOut(this.where, timeoutMillis, requestId)
    )
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Throwing drops a call before it is written and leaves the connection usable; aborting would close it. A call that
    // is over has waited in the queue until now; a call that was started before would be written a second time.
    if (this.isOver || this.controller !== null) throw abandoned
    this.controller = controller
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: ResponseHeaders): void {
    // 1xx answers announce the real one.
    if (status < 200) return
    this.status = status
    this.headers = headers
    if (announcesTooMuch(this.outgoing, headers)) this.refuseBody()
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytes += chunk.length
    if (this.bytes > this.outgoing.maxBodyBytes) return this.refuseBody()
    this.chunks.push(chunk)
  }

  onResponseEnd(): void {
    const [first] = this.chunks
    // Decoded as a whole, because a character may lie across two chunks.
    const body = first === undefined ? "" : (this.chunks.length === 1 ? first : Buffer.concat(this.chunks)).toString()
    this.end(Exit.succeed(answer(this.outgoing, this.status, this.headers, body)))
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.isOver) return
    const code = failures.codeOf(error)
    this.giveUp(
      this.controller === null
        ? failures.notSent(this.where, code)
        : failures.reset(this.where, code, this.outgoing.requestId)
    )
  }

  private refuseBody(): void {
    this.chunks = []
    this.giveUp(failures.tooLarge(this.status, this.outgoing.maxBodyBytes, this.outgoing.requestId))
  }
}

const onTimeout = (call: Call): void => call.timeOut()

// `Effect.async` with a canceller, `onInterrupt` and `acquireRelease` do the same and cost a tenth of the call more.
const exchangeOver = (pool: Pool, where: string): Exchange => (outgoing) =>
  Effect.uninterruptibleMask((restore) => {
    const call = new Call(outgoing, where)
    return Effect.matchCauseEffect(restore(Effect.async<Response, TransportError>((resume) => call.start(pool, resume))), {
      onSuccess: Effect.succeed,
      onFailure: (cause) => {
        call.cancel()
        return Effect.failCause(cause)
      }
    })
  })

const beginOver = (pool: Pool, where: string): Begin => (outgoing, ended) => new Call(outgoing, where).start(pool, ended)

/**
 * A transport over its own pool of connections, which closes with the scope: calls still in flight then end as `NoAnswer`,
 * later ones as `NotSent`, `Closed`.
 *
 * @example
 * ```ts
 * import { Credentials, Transport } from "@milepost/core"
 * import { BaseUrl, Connection, UndiciTransport } from "@milepost/http"
 * import { Effect, Redacted, Scope } from "effect"
 *
 * const transport: Effect.Effect<Transport.Service, unknown, Scope.Scope> = Effect.gen(function*() {
 *   const baseUrl = yield* BaseUrl.fromText("eu")
 *   const credentials = Credentials.basic({ username: "store.server", password: Redacted.make("server123") })
 *   const connection = yield* Connection.make({ baseUrl, credentials, connections: 32 })
 *   return yield* UndiciTransport.make(connection)
 * })
 * ```
 */
export const make = (connection: Connection): Effect.Effect<Direct, never, Scope.Scope> =>
  Effect.gen(function*() {
    const pool = yield* Effect.acquireRelease(
      Effect.sync(() =>
        new Pool(connection.baseUrl, {
          connections: connection.connections,
          connectTimeout: connection.connectTimeoutMillis,
          pipelining: 1,
          allowH2: false,
          // One timer of our own bounds the whole call; undici's would bound its parts, half a second coarsely.
          headersTimeout: 0,
          bodyTimeout: 0
        })
      ),
      (pool) => Effect.promise(() => pool.destroy())
    )
    const where = BaseUrl.hostAndPort(connection.baseUrl)
    return yield* caller.make(connection, exchangeOver(pool, where), beginOver(pool, where))
  })

/** The transport of Node as a layer; see {@link make}. */
export const layer = (connection: Connection): Layer.Layer<Transport> =>
  Layer.scoped(Transport, make(connection))
