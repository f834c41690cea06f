/**
 * Which member a lane is wanted by: the one with the highest score for it (rendezvous hashing, Thaler and Ravishankar 1998).
 *
 * Everybody who sees the same members comes to the same answer without asking. Who comes takes lanes only for himself, who
 * goes leaves only his own behind.
 */

/** FNV-1a over the text, then the finaliser of MurmurHash3 over text and lane: ids that differ in one letter score unlike. */
const score = (member: string, lane: number): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < member.length; index++) hash = Math.imul(hash ^ member.charCodeAt(index), 0x01000193)
  hash ^= Math.imul(lane + 1, 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Who of the members, by their ids, wants this lane; `null` when there are none. */
export const wantedBy = (members: ReadonlyArray<string>, lane: number): string | null => {
  let best: string | null = null
  let highest = -1
  for (const member of members) {
    const its = score(member, lane)
    // A tie goes to the lower id, in whatever order they come.
    if (its > highest || (its === highest && best !== null && member < best)) {
      best = member
      highest = its
    }
  }
  return best
}
