/**
 * A machine whose time and whose order of events are decided by a seed: what runs on it runs the same way each time.
 *
 * It is a scheduler and a clock for fibers. Of everything that could go on at a moment, the seed picks one; when nothing
 * can, time jumps to the next timer. Processes are told apart, so that one of them can be killed: then nothing of it goes
 * on, however far it had come. One that is frozen goes on later, with everything that came in meanwhile.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type { Scheduler } from "effect/Scheduler"
import { PCGRandom } from "effect/Utils"
import TinyQueue from "tinyqueue"

/** What runs on a machine and can be killed by itself. */
export interface Process {
  /** The machine's time; who sleeps by it sleeps no longer than the process lives. */
  readonly clock: Clock.Clock
  /** Starts an effect as part of it. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.RuntimeFiber<A, E>
  /** Calls back after so many milliseconds, unless it has been killed by then; gives back how to call that off. */
  readonly after: (millis: number, act: () => void) => () => void
  /** What is done at once, and known of so many milliseconds later, such as a statement of a database. */
  readonly waited: <A, E, R>(effect: Effect.Effect<A, E, R>, millis: number) => Effect.Effect<A, E, R>
  readonly isAlive: () => boolean
  readonly isFrozen: () => boolean
  /** Ends it: nothing of it is heard of again. */
  readonly kill: () => void
  /** Stops it where it is, while time goes on. A fiber that freezes its own process goes on until it yields. */
  readonly freeze: () => void
  readonly thaw: () => void
}

/** A machine. */
export interface Machine {
  readonly nowMillis: () => number
  /** A new one; `isAtOnce` for one whose fibers go on until they wait, so that what they do at once is done when `run` returns. */
  readonly process: (options?: { readonly isAtOnce?: boolean }) => Process
  /** A number from 0 to 1 that the seed decides; every name has a sequence of its own. */
  readonly draw: (name: string) => number
  /** Lets it go on until `isOver` or nothing can go on any more; says which. */
  readonly run: (isOver: () => boolean) => "over" | "stuck" | "endless"
}

interface Task {
  readonly process: Life
  readonly act: () => void
}

interface Timer {
  readonly atMillis: number
  readonly order: number
  readonly task: Task
  isOff: boolean
}

interface Life {
  isAlive: boolean
  isFrozen: boolean
  /** What came in while it was frozen. */
  held: Array<Task>
}

/** Where time begins: a moment within the periods of the simulated worlds. */
export const startMillis = Date.parse("2026-01-15T09:00:00Z")

/** A simulation that needs more has lost its way: polls that find nothing would go on for ever. */
const mostEvents = 5_000_000
const lastMillis = startMillis + 14 * 24 * 3_600_000

/** Numbers of names, so that sequences do not depend on who draws first. */
const numberOf = (name: string): number => {
  let number = 0
  for (const character of name) number = (Math.imul(number, 31) + (character.codePointAt(0) ?? 0)) >>> 0
  return number
}

/** The timers that are set, the next one first; those of one moment in the order in which they were set. */
const timers = (): TinyQueue<Timer> =>
  new TinyQueue<Timer>([], (left, right) => left.atMillis - right.atMillis || left.order - right.order)

/** How often a fiber lets others go on: after this many of its steps, or as Effect does by itself. */
const steps = [64, 512, 2048] as const

/** A machine that a seed decides. */
export const make = (seed: number): Machine => {
  const order = new PCGRandom(seed, 1)
  const sequences = new Map<string, PCGRandom>()
  const stepsBeforeYield = steps[order.integer(steps.length)] ?? 2048
  const waiting = timers()
  const ready: Array<Task> = []
  let now = startMillis
  let set = 0

  const scheduler = (process: Life, isAtOnce: boolean): Scheduler => ({
    shouldYield: (fiber) => !isAtOnce && fiber.currentOpCount > stepsBeforeYield ? 0 : false,
    scheduleTask: (act) => {
      if (process.isAlive) ready.push({ process, act })
    }
  })

  const after = (process: Life, millis: number, act: () => void): () => void => {
    const timer: Timer = { atMillis: now + Math.max(0, millis), order: ++set, task: { process, act }, isOff: false }
    waiting.push(timer)
    return () => {
      timer.isOff = true
    }
  }

  const clock = (process: Life): Clock.Clock => ({
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => now,
    unsafeCurrentTimeNanos: () => BigInt(now) * 1_000_000n,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanos: Effect.sync(() => BigInt(now) * 1_000_000n),
    sleep: (duration) =>
      Effect.async((resume) => {
        const millis = Math.ceil(Duration.toMillis(duration))
        if (millis === Number.POSITIVE_INFINITY) return
        const callOff = after(process, millis, () => resume(Effect.void))
        return Effect.sync(callOff)
      })
  })

  const process = ({ isAtOnce = false } = {}): Process => {
    const life: Life = { isAlive: true, isFrozen: false, held: [] }
    const of = clock(life)
    const schedules = scheduler(life, isAtOnce)
    const random = Random.make(order.integer(2 ** 31))
    return {
      clock: of,
      run: (effect) => Effect.runFork(Effect.withRandom(Effect.withClock(effect, of), random), { scheduler: schedules }),
      after: (millis, act) => after(life, Math.ceil(millis), act),
      waited: (effect, millis) =>
        millis === 0 ? Effect.zipLeft(effect, Effect.yieldNow()) : Effect.flatMap(effect, (result) =>
          Effect.async((resume) => {
            after(life, millis, () => resume(Effect.succeed(result)))
          })),
      isAlive: () => life.isAlive,
      isFrozen: () => life.isFrozen,
      kill: () => {
        life.isAlive = false
        life.held = []
      },
      freeze: () => {
        life.isFrozen = true
      },
      thaw: () => {
        life.isFrozen = false
        ready.push(...life.held)
        life.held = []
      }
    }
  }

  /** Moves time on to the next timer of somebody who lives; `false` where there is none. */
  const passTime = (): boolean => {
    for (;;) {
      const timer = waiting.pop()
      if (timer === undefined) return false
      if (timer.isOff || !timer.task.process.isAlive) continue
      now = timer.atMillis
      ready.push(timer.task)
      return true
    }
  }

  return {
    nowMillis: () => now,
    process,
    draw: (name) => {
      const sequence = sequences.get(name) ?? new PCGRandom(seed, numberOf(name))
      sequences.set(name, sequence)
      return sequence.number()
    },
    run: (isOver) => {
      for (let events = 0; events < mostEvents; events++) {
        if (isOver()) return "over"
        if (now > lastMillis) break
        if (ready.length > 0) {
          const at = ready.length === 1 ? 0 : order.integer(ready.length)
          const { act, process } = ready[at] as Task
          const last = ready.pop() as Task
          if (at < ready.length) ready[at] = last
          if (process.isFrozen && process.isAlive) process.held.push({ process, act })
          else if (process.isAlive) act()
        } else if (!passTime()) {
          return "stuck"
        }
      }
      return "endless"
    }
  }
}
