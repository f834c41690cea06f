/**
 * Which member wants which lane: scores by hashing (rendezvous hashing, Thaler and Ravishankar 1998), within an equal share.
 *
 * Everybody who sees the same members comes to the same answer without asking. The highest scores are served first, and who
 * has his share gets no more: a run is as quick as the member with the most lanes. Who comes takes lanes nearly only for
 * himself, who goes leaves nearly only his own behind.
 */

/** FNV-1a over the text. */
const hashOf = (member: string): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < member.length; index++) hash = Math.imul(hash ^ member.charCodeAt(index), 0x01000193)
  return hash
}

/** The finaliser of MurmurHash3 over member and lane: ids that differ in one letter score unlike. */
const score = (memberHash: number, lane: number): number => {
  let hash = memberHash ^ Math.imul(lane + 1, 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Who of the members, by their ids, wants each of the lanes; `null` everywhere when there are none. */
export const wantedBy = (members: ReadonlyArray<string>, lanes: number): ReadonlyArray<string | null> => {
  const share = Math.ceil(lanes / members.length)
  const bids = members.flatMap((member) => {
    const memberHash = hashOf(member)
    return Array.from({ length: lanes }, (_, lane) => ({ member, lane, score: score(memberHash, lane) }))
  })
  // A tie goes to the lower lane and id, in whatever order they come.
  bids.sort((one, other) => other.score - one.score || one.lane - other.lane || (one.member < other.member ? -1 : 1))
  const wanted: Array<string | null> = Array.from({ length: lanes }, () => null)
  const served = new Map<string, number>()
  for (const { lane, member } of bids) {
    const its = served.get(member) ?? 0
    if (wanted[lane] !== null || its >= share) continue
    wanted[lane] = member
    served.set(member, its + 1)
  }
  return wanted
}
