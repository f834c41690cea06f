/**
 * One organisation's upstream as callers meet it: programs run over its gate, one at a time for each customer, or are
 * refused at once where they would wait too long.
 */
import * as RetryPolicy from "@milepost/core/RetryPolicy"
import * as Transport from "@milepost/core/Transport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Gate from "./Gate.js"
import type { Org } from "./Org.js"
import * as Turnstile from "./Turnstile.js"

/** A program that was not begun. Plain data, because under overload there are many. */
export interface Busy {
  readonly _tag: "Busy"
  /** `Queue`: too many wait already. `Rate`: the organisation's quota is used up for now. `Down`: the upstream is. */
  readonly reason: "Queue" | "Rate" | "Down"
  readonly message: string
  readonly retryAfterMillis: number
}

/** One organisation's upstream. */
export interface Upstream {
  readonly org: () => Org
  readonly gate: Gate.Gate
  /** Runs a program that calls for one customer: behind whoever came before for this customer, with retries. */
  readonly call: <A, E>(
    customerId: number,
    program: Effect.Effect<A, E, Transport.Transport>
  ) => Effect.Effect<A, Busy | E>
  /** Why a program that came now would not be begun; `null` where it would. */
  readonly refusal: () => Busy | null
  /** The calls of a job, in turn with those of everybody else for the same customer. */
  readonly job: () => Gate.JobCalls
  /** How many programs are inside, waiting or at work. */
  readonly inside: () => number
  /** Goes on with other settings of the same organisation. */
  readonly replace: (org: Org, inner: Transport.Service) => void
}

/** What an interactive caller waits for at most, retries included. */
export const longestMillis = 25_000

/** Who would not have his turn within this is better told so at once. */
const longestWaitMillis = 10_000

/** How interactive calls are repeated: few times, within one wait of a person. */
const policy = (): RetryPolicy.Service => RetryPolicy.make({ maxAttempts: 4, deadline: longestMillis })

const busy = (reason: Busy["reason"], message: string, retryAfterMillis: number): Busy =>
  ({ _tag: "Busy", reason, message, retryAfterMillis })

/** An upstream over a transport; `queue` programs are let in at most. */
export const make = (options: {
  readonly org: Org
  readonly inner: Transport.Service
  readonly queue: number
  readonly watch: Gate.Watch
}): Effect.Effect<Upstream> =>
  Effect.map(Gate.make({ inner: options.inner, limits: options.org.limits, watch: options.watch }), (gate) => {
    const turnstile = Turnstile.make()
    const context = Context.make(Transport.Transport, gate.interactive).pipe(Context.add(RetryPolicy.RetryPolicy, policy()))
    let { org } = options
    let inside = 0

    /** Why somebody who comes now is not let in; `null` where he is. */
    const refusal = (): Busy | null => {
      const down = gate.closed()
      if (down !== null) {
        return busy("Down", `The upstream of organisation ${org.id} is taken for down: ${down.why}. The call was not sent.`, down.retryAfterMillis)
      }
      const wait = gate.expectedWaitMillis()
      if (wait > longestWaitMillis) {
        return busy("Rate", `The quota of organisation ${org.id} is used up for the next ${Math.ceil(wait / 1000)} s. The call was not sent.`, wait)
      }
      return inside >= options.queue
        ? busy("Queue", `${inside} calls to organisation ${org.id} wait already. The call was not sent.`, 1_000)
        : null
    }

    return {
      org: () => org,
      gate,
      inside: () => inside,
      refusal,
      call: <A, E>(customerId: number, program: Effect.Effect<A, E, Transport.Transport>) =>
        Effect.suspend((): Effect.Effect<A, Busy | E> => {
          const refused = refusal()
          if (refused !== null) return Effect.fail(refused)
          inside += 1
          return Effect.ensuring(
            Turnstile.through(turnstile, customerId, Effect.provide(program, context)),
            Effect.sync(() => {
              inside -= 1
            })
          )
        }),
      job: () => {
        const calls = gate.job()
        return {
          close: calls.close,
          transport: Transport.make((request) => Turnstile.through(turnstile, request.customerId, calls.transport.send(request)))
        }
      },
      replace: (next, inner) => {
        org = next
        gate.replace(inner, next.limits)
      }
    }
  })
