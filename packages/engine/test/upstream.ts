/** An upstream for tests: executes a call once, answers 310119 when it is repeated, and can lose answers. */
import type * as Transport from "@milepost/core/Transport"
import { NoAnswer } from "@milepost/core/TransportError"
import * as Effect from "effect/Effect"

export interface Behaviour {
  /** Milliseconds that an answer takes; 0 answers at once, within the same turn of the event loop. */
  readonly latencyMillis?: number
  /**
   * Whether the answer to this call, the n-th of all, gets lost after it was executed; `before` is how often the same call has come before.
   * Who loses by the number alone loses one record's answers again and again, where repetitions come in step with the number.
   */
  readonly loses?: (call: number, before: number) => boolean
  /** An answer in place of executing it. */
  readonly refuses?: (request: Transport.Request, call: number) => Transport.Response | null
}

export interface Upstream {
  readonly transport: Transport.Service
  /** How often each call came in, by path, customer and body. */
  readonly received: Map<string, number>
  /** What was executed. */
  readonly executed: Set<string>
  /** Customers that had two calls in flight at once. */
  readonly overlapped: Set<number>
  /** Moments at which calls came in. */
  readonly moments: Array<number>
  /** Requests in the order in which they came in. */
  readonly order: Array<Transport.Request>
  readonly mostInFlight: () => number
}

export const keyOf = (request: Pick<Transport.Request, "body" | "path" | "customerId">): string =>
  `${request.path} ${request.customerId} ${request.body}`

export const answer = (status: number, body: unknown, headers: Record<string, string> = {}): Transport.Response => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
  requestId: null
})

export const accepted = (customerId: number): Transport.Response => answer(200, { data: customerId, errors: [], warnings: [] })

export const refused = (code: number, message = "no"): Transport.Response =>
  answer(400, { data: null, errors: [{ code, message }], warnings: [] })

export const make = (behaviour: Behaviour = {}): Upstream => {
  const received = new Map<string, number>()
  const executed = new Set<string>()
  const overlapped = new Set<number>()
  const moments: Array<number> = []
  const order: Array<Transport.Request> = []
  const inFlight = new Map<number, number>()
  let all = 0
  let most = 0
  const answering = (request: Transport.Request, call: number, before: number): Effect.Effect<Transport.Response, NoAnswer> => {
    const refusal = behaviour.refuses?.(request, call) ?? null
    if (refusal !== null) return Effect.succeed(refusal)
    const key = keyOf(request)
    const wasIn = executed.has(key)
    executed.add(key)
    if (behaviour.loses?.(call, before) === true) return Effect.fail(new NoAnswer({ reason: "Reset", message: "reset", requestId: null }))
    return Effect.succeed(wasIn ? refused(310119, "already") : accepted(request.customerId))
  }
  return {
    received,
    executed,
    overlapped,
    moments,
    order,
    mostInFlight: () => most,
    transport: {
      send: (request) =>
        Effect.clockWith((clock) =>
          Effect.suspend(() => {
            const key = keyOf(request)
            const call = order.push(request)
            moments.push(clock.unsafeCurrentTimeMillis())
            const repeated = received.get(key) ?? 0
            received.set(key, repeated + 1)
            const before = inFlight.get(request.customerId) ?? 0
            if (before > 0) overlapped.add(request.customerId)
            inFlight.set(request.customerId, before + 1)
            all += 1
            most = Math.max(most, all)
            const latency = behaviour.latencyMillis ?? 0
            const waited = latency === 0 ? Effect.void : Effect.sleep(latency)
            return Effect.zipRight(waited, Effect.suspend(() => answering(request, call, repeated))).pipe(
              Effect.ensuring(Effect.sync(() => {
                all -= 1
                inFlight.set(request.customerId, (inFlight.get(request.customerId) ?? 1) - 1)
              }))
            )
          })
        )
    }
  }
}
