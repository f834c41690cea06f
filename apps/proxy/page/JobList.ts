/** All jobs as links, the latest first; what changes is changed in place, so that focus stays where it is. */
import * as Chart from "./Chart.js"
import type { Job } from "./Client.js"
import { button, el, write } from "./Dom.js"
import * as Tally from "./Tally.js"
import * as Words from "./Words.js"

/** So many are shown before somebody asks for more. */
const shownAtOnce = 50

interface Item {
  readonly element: HTMLLIElement
  readonly update: (job: Job, isSelected: boolean, hasOrg: boolean) => void
}

const lineOf = (job: Job, tally: Tally.Tally, hasOrg: boolean): string => [
  hasOrg ? job.org : null,
  job.state === "finished" ? Words.counted(tally.total, "record") : `${Words.count(tally.ended)} of ${Words.counted(tally.total, "record")}`,
  tally.failed === 0 ? null : `${Words.count(tally.failed)} failed`,
  job.state === "running" && job.etaSeconds !== null ? `${Words.duration(job.etaSeconds)} left` : null
].filter((part) => part !== null).join(" · ")

const item = (id: string): Item => {
  const name = el("span", { class: "name" })
  const badge = el("span", { class: "badge" })
  const line = el("span", { class: "line" })
  const bar = Chart.bar(false)
  const link = el("a", { href: `#/jobs/${encodeURIComponent(id)}` }, el("span", { class: "heading" }, name, badge), bar.element, line)
  return {
    element: el("li", {}, link),
    update: (job, isSelected, hasOrg) => {
      const tally = Tally.of(job)
      write(name, job.input)
      write(badge, Words.states[job.state])
      badge.className = `badge ${job.state}`
      bar.update(tally)
      write(line, lineOf(job, tally, hasOrg))
      if (isSelected) link.setAttribute("aria-current", "page")
      else link.removeAttribute("aria-current")
    }
  }
}

/** The list. */
export interface JobList {
  readonly element: HTMLElement
  readonly update: (jobs: ReadonlyArray<Job>, selected: string | null) => void
}

/** A list of nothing yet. */
export const make = (): JobList => {
  const items = new Map<string, Item>()
  let most = shownAtOnce
  let latest: readonly [ReadonlyArray<Job>, string | null] = [[], null]
  const list = el("ul", { class: "jobs" })
  const empty = el("p", { class: "hint" }, "No jobs yet.")
  const more = button("Show more", () => {
    most += shownAtOnce
    update(...latest)
  })
  const update = (jobs: ReadonlyArray<Job>, selected: string | null): void => {
    latest = [jobs, selected]
    const hasOrg = new Set(jobs.map(({ org }) => org)).size > 1
    const shown = jobs.slice(0, most)
    for (const [id, { element }] of items) {
      if (shown.some((job) => job.id === id)) continue
      element.remove()
      items.delete(id)
    }
    let before: Element | null = null
    for (const job of shown) {
      const known = items.get(job.id) ?? item(job.id)
      items.set(job.id, known)
      known.update(job, job.id === selected, hasOrg)
      // Moved only where it stands elsewhere: an element that is moved loses its focus.
      const place: Element | null = before === null ? list.firstElementChild : before.nextElementSibling
      if (place !== known.element) list.insertBefore(known.element, place)
      before = known.element
    }
    empty.hidden = jobs.length > 0
    more.hidden = jobs.length <= most
  }
  return { element: el("div", {}, list, empty, more), update }
}
