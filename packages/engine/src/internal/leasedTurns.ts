/** The turns that this process was given and nobody has taken yet, in the order of their moments. */
import type { Grant } from "./sharedState.js"

/** Turns in hand. Moments are milliseconds of this process's clock. */
export interface LeasedTurns {
  readonly add: (grant: Grant, freshMillis: number) => void
  /** The next turn that is not too late to be taken, and for how long after its moment it may be; `null` where there is none. */
  readonly take: (nowMillis: number) => { readonly turnMillis: number; readonly freshMillis: number } | null
  /** Forgets those before this moment. */
  readonly clear: (beforeMillis: number) => void
  readonly size: (nowMillis: number) => number
  /** Those that could be taken at once. */
  readonly ready: (nowMillis: number) => number
}

interface Block {
  nextMillis: number
  readonly spacingMillis: number
  left: number
  readonly freshMillis: number
}

const passedBy = ({ left, nextMillis, spacingMillis }: Block, moment: number): number =>
  Math.min(left, Math.max(0, Math.ceil((moment - nextMillis) / spacingMillis)))

/** None yet. */
export const make = (): LeasedTurns => {
  let blocks: Array<Block> = []

  const drop = (before: (block: Block) => number): void => {
    for (const block of blocks) {
      const passed = passedBy(block, before(block))
      block.left -= passed
      block.nextMillis += passed * block.spacingMillis
    }
    if (blocks.some(({ left }) => left === 0)) blocks = blocks.filter(({ left }) => left > 0)
  }

  const fresh = (now: number): ReadonlyArray<Block> => {
    drop(({ freshMillis }) => now - freshMillis)
    return blocks
  }

  return {
    add: ({ count, firstMillis, spacingMillis }, freshMillis) => {
      blocks.push({ nextMillis: firstMillis, spacingMillis, left: count, freshMillis })
    },
    take: (now) => {
      const [block] = fresh(now)
      if (block === undefined) return null
      const turnMillis = block.nextMillis
      block.nextMillis += block.spacingMillis
      block.left -= 1
      return { turnMillis, freshMillis: block.freshMillis }
    },
    clear: (before) => drop(() => before),
    size: (now) => fresh(now).reduce((sum, { left }) => sum + left, 0),
    ready: (now) =>
      fresh(now).reduce((sum, block) => sum + (block.nextMillis > now ? 0 : Math.min(block.left, Math.floor((now - block.nextMillis) / block.spacingMillis) + 1)), 0)
  }
}
