/**
 * Who makes the calls of a run: fibers that take customers from the chunks that are open, as many as there are places.
 *
 * Nobody waits for work: a worker ends when nothing is ready, and one is started when something is and there is room. A
 * record that waits between two attempts leaves its room to another, so that one upstream's bad minute stops nobody else.
 */
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type { Concurrency } from "./Concurrency.js"

/** Something to be worked on by several workers at once. */
export interface Source {
  /** How many workers it could use beside those that are at it. */
  readonly ready: () => number
  /** Takes one piece after the other, until none is ready or `goesOn`, asked before each, says no. */
  readonly work: (goesOn: () => boolean) => Effect.Effect<void>
}

/** The workers of one run. */
export interface Workers {
  /** Has this worked on, behind what was added before. */
  readonly add: (source: Source) => void
  /** A wait in which a worker does nothing; meanwhile another one may take its room. */
  readonly resting: <A, E, R>(wait: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** Workers for as many places as there are, more or fewer while that changes. */
export const make = (concurrency: Pick<Concurrency, "limit">): Effect.Effect<Workers> =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    const sources: Array<Source> = []
    let workers = 0
    let resting = 0

    const next = (): Source | null => {
      while (sources.length > 0 && sources[0]?.ready() === 0) sources.shift()
      return sources[0] ?? null
    }

    const room = (): number => concurrency.limit() - (workers - resting)

    const fill = (): void => {
      let wanted = Math.min(room(), sources.reduce((ready, source) => ready + source.ready(), 0))
      for (; wanted > 0; wanted--) {
        workers += 1
        Runtime.runFork(runtime, worker)
      }
    }

    /** Asked by a worker between two pieces: it has a room itself. */
    const goesOn = (): boolean => {
      const free = room()
      if (free > 0) fill()
      return free >= 0
    }

    const worker: Effect.Effect<void> = Effect.suspend(() => {
      let source: Source | null = null
      return Effect.whileLoop({
        while: () => {
          source = goesOn() ? next() : null
          if (source === null) workers -= 1
          return source !== null
        },
        body: () => (source as Source).work(goesOn),
        step: () => undefined
      })
    })

    return {
      add: (source) => {
        sources.push(source)
        fill()
      },
      resting: (wait) =>
        Effect.suspend(() => {
          resting += 1
          fill()
          return Effect.ensuring(wait, Effect.sync(() => {
            resting -= 1
          }))
        })
    }
  })
