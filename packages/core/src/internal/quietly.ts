/**
 * Makes an error without capturing a stack.
 *
 * An upstream's "no" is a value on the hot path, not a defect: its stack tells nothing and costs seven times
 * the rest of the construction (`docs/adr/0005-errors-without-stacks.md`).
 */
interface StackTraceLimit {
  stackTraceLimit?: number
}

export const quietly = <A>(make: () => A): A => {
  const limits = Error as StackTraceLimit
  const limit = limits.stackTraceLimit
  limits.stackTraceLimit = 0
  try {
    return make()
  } finally {
    if (limit === undefined) delete limits.stackTraceLimit
    else limits.stackTraceLimit = limit
  }
}
