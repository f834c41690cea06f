/**
 * One organisation's upstream as callers meet it: programs run over its gate, one at a time for each customer, or are
 * refused at once where they would wait too long.
 */
import * as Attempts from "@milepost/core/Attempts"
import * as Disposition from "@milepost/core/Disposition"
import * as RetryPolicy from "@milepost/core/RetryPolicy"
import * as Transport from "@milepost/core/Transport"
import type { TransportError } from "@milepost/core/TransportError"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import type { Router } from "../replicas/Router.js"
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
  /** The same for one of many whose caller waits for all of them: it goes behind whoever waits for one. */
  readonly oneOfMany: Upstream["call"]
  /**
   * One call with its retries, which calls back once, at the earliest before it returns; what `call` does for a program, but
   * without a fiber as long as nobody waits for the same customer and nothing fails. Returns how to give it up, which holds back what has not left.
   */
  readonly attempt: <A, E extends Disposition.Classified>(
    request: Transport.Request,
    judge: (response: Transport.Response) => Either.Either<A, E>,
    then: (attempted: Attempts.Attempted<A, E | TransportError>) => void
  ) => Busy | (() => void)
  /** One call that another replica was asked for: behind whoever came before for the same customer, and never sent on. */
  readonly forwarded: (
    priority: "interactive" | "batch",
    request: Transport.Request
  ) => Effect.Effect<Transport.Response, Busy | TransportError>
  /** Why a program that came now would not be begun; `null` where it would. */
  readonly refusal: () => Busy | null
  /** The calls of a job, in turn with those of everybody else for the same customer. */
  readonly job: () => Pick<Gate.JobCalls, "close" | "transport">
  /** How many programs are inside, waiting or at work. */
  readonly inside: () => number
  /** Goes on with other settings of the same organisation. */
  readonly replace: (org: Org, inner: Gate.Inner) => void
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
  readonly inner: Gate.Inner
  readonly queue: number
  readonly watch: Gate.Watch
  /** Where there are other replicas: takes calls of people to the one that may make them. */
  readonly route?: Router | undefined
  readonly pace?: Gate.MakePace | undefined
}): Effect.Effect<Upstream> =>
  Effect.gen(function*() {
    const gate = yield* Gate.make({ inner: options.inner, limits: options.org.limits, watch: options.watch, pace: options.pace })
    const clock = yield* Effect.clock
    const fork = Runtime.runFork(yield* Effect.runtime<never>())
    const turnstile = Turnstile.make()
    const retries = policy()
    const over = (transport: Transport.Service) =>
      Context.make(Transport.Transport, transport).pipe(Context.add(RetryPolicy.RetryPolicy, retries))
    const calls = options.route === undefined ? gate : options.route(options.org.id, gate)
    const interactive = over(calls.interactive)
    const batch = over(calls.batch)
    let { org } = options
    let inside = 0

    /** Why somebody who comes now is not let in, however long he may wait; `null` where he is. */
    const shut = (): Busy | null => {
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

    /** The same of somebody who waits for one call: under a load that does not end he is told so at once. */
    const refusal = (): Busy | null =>
      shut() ?? (gate.isOverrun() ? busy("Queue", `More calls to organisation ${org.id} come than its upstream answers. The call was not sent.`, 1_000) : null)

    /** Lets a program in behind whoever came before for the customer, unless it is refused at once. */
    const admit = <A, E>(refused: Busy | null, customerId: number, program: Effect.Effect<A, E>): Effect.Effect<A, Busy | E> => {
      if (refused !== null) return Effect.fail(refused)
      inside += 1
      return Effect.ensuring(
        Turnstile.through(turnstile, customerId, program),
        Effect.sync(() => {
          inside -= 1
        })
      )
    }

    const through = (refusal: () => Busy | null, context: typeof interactive): Upstream["call"] => (customerId, program) =>
      Effect.suspend(() => admit(refusal(), customerId, Effect.provide(program, context)))

    return {
      org: () => org,
      gate,
      inside: () => inside,
      refusal,
      call: through(refusal, interactive),
      oneOfMany: through(shut, batch),
      attempt: <A, E extends Disposition.Classified>(
        request: Transport.Request,
        judge: (response: Transport.Response) => Either.Either<A, E>,
        then: (attempted: Attempts.Attempted<A, E | TransportError>) => void
      ) => {
        const refused = refusal()
        if (refused !== null) return refused
        const { customerId } = request
        const startedMillis = clock.unsafeCurrentTimeMillis()
        let fiber: Fiber.RuntimeFiber<unknown> | null = null
        let takeBack: (() => boolean) | null = null
        let isGivenUp = false
        inside += 1

        const once = (timeoutMillis: number): Effect.Effect<A, E | TransportError> =>
          Effect.flatMap(calls.interactive.send({ ...request, timeoutMillis }), judge)

        const inFiber = (attempted: Effect.Effect<Attempts.Attempted<A, E | TransportError>>, leave: () => void): void => {
          fiber = fork(Effect.onExit(attempted, (exit) =>
            Effect.sync(() => {
              leave()
              if (Exit.isSuccess(exit)) then(exit.value)
            })))
        }
        const leave = (): void => {
          inside -= 1
          turnstile.leave(customerId)
        }
        const back = (exit: Exit.Exit<Transport.Response, TransportError>): void => {
          const cause = Exit.isFailure(exit) ? Cause.failureOrCause(exit.cause) : null
          if (cause !== null && Either.isRight(cause)) return inFiber(Effect.failCause(cause.right), leave)
          const result: Either.Either<A, E | TransportError> = Exit.isSuccess(exit) ? judge(exit.value) : Either.left(cause?.left as TransportError)
          if (Either.isRight(result)) retries.budget?.earn()
          else if (Disposition.isRetryable(result.left) && !isGivenUp) {
            return inFiber(Attempts.afterFailure(retries, result.left, startedMillis, once), leave)
          }
          leave()
          then({ result, attempts: 1, afterAmbiguousAttempt: false })
        }

        if (turnstile.tryEnter(customerId)) takeBack = calls.begin({ ...request, timeoutMillis: retries.deadlineMillis }, back)
        else {
          const whole = Effect.provide(Attempts.run((_, timeoutMillis) => once(timeoutMillis)), interactive)
          inFiber(Turnstile.through(turnstile, customerId, whole), () => {
            inside -= 1
          })
        }
        return () => {
          isGivenUp = true
          if (fiber !== null) fiber.unsafeInterruptAsFork(FiberId.none)
          else if (takeBack?.() === true) leave()
        }
      },
      forwarded: (priority, request) =>
        Effect.suspend(() => admit(shut(), request.customerId, gate[priority].send(request))),
      job: () => {
        const calls = gate.job()
        return {
          close: calls.close,
          transport: Transport.make((request) =>
            Effect.suspend(() => {
              const begin = calls.begin()
              if (begin === null) return Turnstile.through(turnstile, request.customerId, calls.transport.send(request))
              return Effect.async((resume) =>
                turnstile.enterThen(request.customerId, () =>
                  begin(request, (exit) => {
                    turnstile.leave(request.customerId)
                    resume(exit)
                  })))
            }))
        }
      },
      replace: (next, inner) => {
        org = next
        gate.replace(inner, next.limits)
      }
    }
  })
