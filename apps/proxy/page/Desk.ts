/** What an operator sees with a key: jobs and organisations beside the one job, or the form, that the address names. */
import { type Client, isTrouble, type Job, type Org } from "./Client.js"
import { el, write } from "./Dom.js"
import * as Events from "./Events.js"
import * as JobList from "./JobList.js"
import * as JobView from "./JobView.js"
import * as OrgList from "./OrgList.js"
import * as UploadForm from "./UploadForm.js"

/** A desk. */
export interface Desk {
  readonly element: HTMLElement
  readonly close: () => void
}

/** Between two looks at all jobs: while one goes on, and while none does. */
const busyMillis = 4_000
const idleMillis = 15_000

type Place = { readonly at: "job"; readonly id: string } | { readonly at: "list" } | { readonly at: "new" }

/** What an address names. */
export const placeOf = (hash: string): Place => {
  if (hash === "#/new") return { at: "new" }
  const id = /^#\/jobs\/([\w-]+)$/.exec(hash)?.[1]
  return id === undefined ? { at: "list" } : { at: "job", id }
}

const isGoingOn = ({ state }: Job): boolean => state === "running" || state === "queued" || state === "importing"

/** A desk for this key; `refused` is called when the key is accepted no more. */
export const make = (client: Client, known: ReadonlyArray<Org>, refused: () => void): Desk => {
  const closing = new AbortController()
  const { signal } = closing
  const jobs = JobList.make()
  const orgs = OrgList.make()
  const trouble = el("p", { class: "trouble", role: "alert" })
  const side = el("div", { class: "side" })
  const element = el(
    "div",
    { class: "desk" },
    el(
      "div",
      { class: "all" },
      el("section", { class: "panel", "aria-labelledby": "all-jobs" },
        el("div", { class: "title" }, el("h2", { id: "all-jobs" }, "Jobs"), el("a", { class: "button primary", href: "#/new" }, "New job")), trouble, jobs.element),
      el("section", { class: "panel", "aria-labelledby": "all-orgs" }, el("h2", { id: "all-orgs" }, "Organisations"), orgs.element)
    ),
    side
  )
  let all: ReadonlyArray<Job> = []
  let allOrgs = known
  let open: { readonly close: () => void; readonly refresh?: () => void } | null = null
  let place: Place = { at: "list" }

  const showList = (): void => jobs.update(all, place.at === "job" ? place.id : null)

  const changed = (job: Job): void => {
    all = all.some(({ id }) => id === job.id) ? all.map((other) => other.id === job.id ? job : other) : [job, ...all]
    showList()
  }

  /** Looks at everything; what is answered is how long the service wants to be left alone. */
  const look = async (): Promise<number> => {
    const [foundJobs, foundOrgs] = await Promise.all([client.jobs(), client.orgs()])
    if (signal.aborted) return 0
    if (isTrouble(foundJobs)) {
      if (foundJobs.status === 401) refused()
      else write(trouble, `${foundJobs.title}. ${foundJobs.detail}`)
      return (foundJobs.retryAfterSeconds ?? 0) * 1_000
    }
    write(trouble, "")
    all = foundJobs
    showList()
    if (isTrouble(foundOrgs)) return (foundOrgs.retryAfterSeconds ?? 0) * 1_000
    allOrgs = foundOrgs
    orgs.update(allOrgs)
    open?.refresh?.()
    return 0
  }

  const watch = async (): Promise<void> => {
    while (!signal.aborted) {
      const leftAloneMillis = document.hidden ? 0 : await look()
      await Events.sleep(Math.max(leftAloneMillis, all.some(isGoingOn) ? busyMillis : idleMillis), signal)
    }
  }

  const go = (isFirst: boolean): void => {
    open?.close()
    place = placeOf(location.hash)
    element.dataset["at"] = place.at
    showList()
    if (place.at === "list") {
      open = null
      side.replaceChildren(el("p", { class: "hint nothing" }, "Choose a job to follow it, or start a new one."))
      return
    }
    const shown = place.at === "new"
      ? UploadForm.make({
        client,
        orgs: allOrgs,
        refused,
        started: (job) => {
          changed(job)
          location.hash = `#/jobs/${job.id}`
        }
      })
      : JobView.make({ id: place.id, client, orgOf: (id) => allOrgs.find((org) => org.id === id), changed, refused })
    open = shown
    side.replaceChildren(shown.element)
    if (!isFirst) shown.heading.focus()
  }

  addEventListener("hashchange", () => go(false), { signal })
  document.addEventListener("visibilitychange", () => document.hidden ? undefined : void look(), { signal })
  orgs.update(allOrgs)
  go(true)
  void watch()
  return {
    element,
    close: () => {
      closing.abort()
      open?.close()
      client.close()
    }
  }
}
