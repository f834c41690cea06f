/** One job as it goes: followed by its events, with what can be done to it and what went wrong in it. */
import * as Chart from "./Chart.js"
import { type Client, isTrouble, type Job, type Org, type Trouble } from "./Client.js"
import * as Confirm from "./Confirm.js"
import { button, el, table, write } from "./Dom.js"
import * as Download from "./Download.js"
import * as Events from "./Events.js"
import * as Failed from "./Failed.js"
import * as OrgList from "./OrgList.js"
import * as Say from "./Say.js"
import * as Tally from "./Tally.js"
import * as Words from "./Words.js"

/** What a view needs, and whom it tells. */
export interface Options {
  readonly id: string
  readonly client: Client
  readonly orgOf: (id: string) => Org | undefined
  readonly changed: (job: Job) => void
  readonly refused: () => void
}

/** A view. */
export interface JobView {
  readonly element: HTMLElement
  readonly heading: HTMLElement
  /** Shows what is known of the organisation by now. */
  readonly refresh: () => void
  readonly close: () => void
}

type Verb = "cancel" | "pause" | "resume"

const possible: Readonly<Record<Job["state"], ReadonlyArray<Verb>>> = {
  importing: [],
  queued: ["pause", "cancel"],
  running: ["pause", "cancel"],
  paused: ["resume", "cancel"],
  stopped: ["resume", "cancel"],
  finished: [],
  cancelled: []
}

const questionOf = (verb: Verb, waiting: number): Confirm.Question => {
  const left = Words.counted(waiting, "waiting record")
  switch (verb) {
    case "pause":
      return { title: "Pause this job?", text: `No new call starts; calls on their way finish. ${left} can be sent later.`, yes: "Pause", no: "Go on", isDangerous: false }
    case "resume":
      return { title: "Resume this job?", text: `${left} will be sent.`, yes: "Resume", no: "Not now", isDangerous: false }
    case "cancel":
      return { title: "Cancel this job?", text: `${left} will never be sent. What is done stays done. This cannot be undone.`, yes: "Cancel the job", no: "Keep it", isDangerous: true }
  }
}

const still: ReadonlySet<Job["state"]> = new Set<Job["state"]>(["finished", "stopped", "cancelled"])

/** So many failed records are shown. */
const shownFailures = 50

const failedWords = ["rejected", "unknown"] as const

const factsOf = (job: Job, org: Org | undefined): ReadonlyArray<readonly [string, string]> => [
  ["Speed", job.callsPerSecond === null ? "–" : Words.rate(job.callsPerSecond)],
  ["Limit", job.limitPerSecond === null ? org === undefined ? "–" : OrgList.limitOf(org) : Words.rate(job.limitPerSecond)],
  ["Time left", job.etaSeconds === null || still.has(job.state) ? "–" : Words.duration(job.etaSeconds)],
  ["Rows", Words.count(job.rows)],
  ["Bad rows", Words.count(job.badRows)],
  ["Duplicates", Words.count(job.duplicates)],
  ["Started", job.started === null ? "–" : Words.moment(job.started)],
  ["Ended", job.ended === null || !still.has(job.state) ? "–" : Words.moment(job.ended)]
]

const told = ({ detail, title }: Trouble): string => `${title}. ${detail}`

/** Follows a job until the view is closed. */
export const make = ({ changed, client, id, orgOf, refused }: Options): JobView => {
  const closing = new AbortController()
  const { signal } = closing
  const sayProgress = Say.progress()
  let job: Job | null = null
  let isFollowed = false
  let failuresShown = -1
  let isReading = false

  const heading = el("h2", { tabindex: -1, id: "job-title" }, "Job")
  const badge = el("span", { class: "badge" })
  const meta = el("p", { class: "line" })
  const notice = el("p", { class: "notice", hidden: true })
  const trouble = el("p", { class: "trouble", role: "alert" })
  const link = el("span", { class: "link" })
  const actions = el("div", { class: "actions" })
  const bar = Chart.bar(true)
  const share = el("p", { class: "share" })
  const parts = el("tbody")
  const facts = el("dl", { class: "facts" })
  const reasons = el("div")
  const records = el("div")
  const downloads = el("div", { class: "actions" })
  const failures = el("section", { "aria-labelledby": "failures", hidden: true }, el("h3", { id: "failures" }, "Not done"), reasons, records)
  const body = el(
    "div",
    { hidden: true },
    el("div", { class: "chart" }, el("div", { class: "share-line" }, share, link), bar.element),
    el(
      "div",
      { class: "columns" },
      el(
        "table",
        { class: "legend" },
        el("caption", { class: "unseen" }, "Records by outcome"),
        el("thead", {}, el("tr", {}, ...["Outcome", "Records", "Share"].map((text, index) => el("th", { scope: "col", class: index === 0 ? null : "number" }, text)))),
        parts
      ),
      facts
    ),
    failures,
    el("section", { "aria-labelledby": "downloads" }, el("h3", { id: "downloads" }, "Results"), downloads)
  )
  const element = el(
    "section",
    { class: "panel", "aria-labelledby": "job-title" },
    el("p", { class: "back" }, el("a", { href: "#/" }, "‹ All jobs")),
    el("div", { class: "title" }, heading, badge),
    meta,
    actions,
    notice,
    trouble,
    body
  )

  const act = async (verb: Verb): Promise<void> => {
    if (job === null || !await Confirm.ask(questionOf(verb, job.open))) return
    write(trouble, "")
    const all = [...actions.querySelectorAll("button")]
    // Before the buttons are disabled: a disabled or hidden element loses its focus to nowhere, and the event may come before the answer.
    heading.focus()
    for (const one of all) one.disabled = true
    const answer = await client.wish(id, verb)
    for (const one of all) one.disabled = false
    if (signal.aborted) return
    if (isTrouble(answer)) {
      if (answer.status === 401) return refused()
      write(trouble, told(answer))
      return buttons[verb].focus()
    }
    show(answer)
    if (verb === "resume") void follow()
  }

  const buttons: Readonly<Record<Verb, HTMLButtonElement>> = {
    pause: button("Pause", () => void act("pause")),
    resume: button("Resume", () => void act("resume"), "primary"),
    cancel: button("Cancel job", () => void act("cancel"), "danger")
  }
  actions.append(buttons.pause, buttons.resume, buttons.cancel)

  const save = (what: Download.What) => async (): Promise<void> => {
    write(trouble, "")
    Say.now("The download begins.")
    write(trouble, await Download.save(client, id, what, signal) ?? "")
  }

  const readFailures = async (now: Job): Promise<void> => {
    const { failed } = Tally.of(now)
    // Fifty of them are as good as the next fifty; the whole is a download.
    if (isReading || failed === 0 || failed === failuresShown || (failuresShown >= shownFailures && !still.has(now.state))) return
    isReading = true
    const found: Array<Failed.Failed> = []
    for (const word of failedWords) {
      if (now.counts[word] === 0 || found.length >= shownFailures) continue
      const answer = await client.open(`/v1/jobs/${encodeURIComponent(id)}/results?outcome=${word}`, { accept: "application/x-ndjson" }, signal)
      if (isTrouble(answer) || answer.body === null) continue
      const lines = await Failed.firstLines(answer.body, shownFailures - found.length).catch(() => [])
      found.push(...lines.map(Failed.of))
    }
    isReading = false
    if (signal.aborted || found.length === 0) return
    failuresShown = failed
    const name = found.length < failed ? `The first ${found.length} of ${Words.counted(failed, "failed record")}` : Words.counted(failed, "failed record")
    const hadFocus = records.contains(document.activeElement)
    const built = table(
      name,
      ["Line", "Customer", "Period", "Outcome", "Code", "Reason"],
      found.map(({ code, customer, line, message, outcome, period }) => [String(line), customer, period, outcome, code, message]),
      [0]
    )
    records.replaceChildren(el("h4", {}, name), built)
    if (hadFocus) built.focus()
  }

  const showReasons = (now: Job): void => {
    const text = JSON.stringify(now.refusals)
    if (reasons.dataset["shown"] === text) return
    reasons.dataset["shown"] = text
    const hadFocus = reasons.contains(document.activeElement)
    const built = table(
      "Reasons",
      ["Records", "Outcome", "Code", "Reason"],
      now.refusals.map(({ code, message, outcome, records: many }) => [Words.count(many), outcome, code === null ? "" : String(code), code === "input" && many > 1 ? `e.g. ${message}` : message]),
      [0]
    )
    reasons.replaceChildren(el("h4", {}, "By reason"), built)
    if (hadFocus) built.focus()
  }

  const showDownloads = (now: Job): void => {
    const wanted = failedWords.filter((word) => now.counts[word] > 0)
    const hasFailed = wanted.length > 0 || now.refusals.some(({ code, outcome }) => outcome === "skipped" && code === "fuse")
    const text = [...wanted, hasFailed].join()
    if (downloads.dataset["shown"] === text) return
    downloads.dataset["shown"] = text
    downloads.replaceChildren(
      ...(hasFailed ? [button("Download failed rows (to mend and upload again)", () => void save("failed")())] : []),
      ...wanted.map((word) => button(`Download ${word} (CSV)`, () => void save(word)())),
      button("Download all results (CSV)", () => void save("all")())
    )
  }

  const show = (now: Job): void => {
    const before = job
    job = now
    changed(now)
    const tally = Tally.of(now)
    const state = Words.states[now.state]
    body.hidden = false
    write(heading, now.input)
    write(badge, state)
    badge.className = `badge ${now.state}`
    write(meta, `${now.operation === "enroll" ? "Enrol" : "Un-enrol"} · ${now.org} · ${now.id}`)
    const verbs = possible[now.state]
    for (const verb of ["pause", "resume", "cancel"] as const) buttons[verb].hidden = !verbs.includes(verb)
    const reason = now.stop === null || now.state === "paused" || now.state === "running" ? now.waiting : now.stop.message
    notice.hidden = reason === null
    write(notice, reason ?? "")
    bar.update(tally)
    write(share, `${Words.percent(tally.ended, tally.total)} · ${Words.count(tally.ended)} of ${Words.counted(tally.total, "record")}`)
    parts.replaceChildren(...tally.parts.map(({ label, records: many, word }) =>
      el("tr", {}, el("th", { scope: "row" }, el("span", { class: `swatch ${word}`, "aria-hidden": "true" }), label),
        el("td", { class: "number" }, Words.count(many)), el("td", { class: "number" }, Words.percent(many, tally.total)))))
    showFacts()
    failures.hidden = now.refusals.length === 0 && tally.failed === 0
    showReasons(now)
    showDownloads(now)
    void readFailures(now)
    if (before !== null && before.state !== now.state) Say.now(`${now.input} is ${state}. ${Tally.sentence(tally)}`)
    else if (now.state === "running") sayProgress(Tally.sentence(tally))
  }

  const showFacts = (): void => {
    if (job === null) return
    facts.replaceChildren(...factsOf(job, orgOf(job.org)).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))))
  }

  const links: Readonly<Record<Events.Link, string>> = { connecting: "connecting …", live: "live", waiting: "connection lost, trying again …" }

  const follow = async (): Promise<void> => {
    if (isFollowed) return
    isFollowed = true
    const why = await Events.follow({
      open: (headers, stop) => client.open(`/v1/jobs/${encodeURIComponent(id)}/events`, headers, stop),
      event: ({ data, kind }) => {
        show(JSON.parse(data) as Job)
        return kind !== "end"
      },
      link: (now) => {
        write(link, links[now])
        link.className = `link ${now}`
      },
      signal,
      sleep: Events.sleep
    })
    isFollowed = false
    if (signal.aborted) return
    write(link, "")
    link.className = "link"
    if (why?.status === 401) refused()
    else if (why !== null) {
      write(heading, "No such job")
      write(trouble, why.status === 404 ? "It may have been removed, or belong to another key." : told(why))
    }
  }

  for (const one of Object.values(buttons)) one.hidden = true
  void follow()
  return { element, heading, refresh: showFacts, close: () => closing.abort() }
}
