/** A new job: a file and what it lacks, first read for what it asks for, then stored and sent. */
import { type Client, isTrouble, type Job, type Org, type Plan, type Trouble } from "./Client.js"
import { button, el, table, write } from "./Dom.js"
import * as Say from "./Say.js"
import * as Wish from "./Wish.js"
import * as Words from "./Words.js"

/** What the form needs, and whom it tells. */
export interface Options {
  readonly client: Client
  readonly orgs: ReadonlyArray<Org>
  readonly started: (job: Job) => void
  readonly refused: () => void
}

/** The form. */
export interface UploadForm {
  readonly element: HTMLElement
  readonly heading: HTMLElement
  readonly close: () => void
}

const field = (id: string, label: string, control: HTMLElement, hint: string | null): HTMLElement => {
  control.id = id
  control.setAttribute("aria-describedby", hint === null ? `${id}-wrong` : `${id}-hint ${id}-wrong`)
  return el(
    "div",
    { class: "field" },
    el("label", { for: id }, label),
    control,
    hint === null ? null : el("p", { id: `${id}-hint`, class: "hint" }, hint),
    el("p", { id: `${id}-wrong`, class: "trouble" })
  )
}

const select = (options: ReadonlyArray<readonly [value: string, text: string]>): HTMLSelectElement =>
  el("select", {}, ...options.map(([value, text]) => el("option", { value }, text)))

const text = (attributes: Readonly<Record<string, string>> = {}): HTMLInputElement =>
  el("input", { type: "text", autocomplete: "off", spellcheck: "false", ...attributes })

const timeOf = ({ callsPerSecond, etaSeconds }: Plan): string =>
  callsPerSecond === null || etaSeconds === null
    ? "not known: no limit is known yet, give a rate to see an estimate"
    : `about ${Words.duration(etaSeconds)} at ${Words.rate(callsPerSecond)}`

const destinationsOf = ({ allDestinations, destinations }: Plan): HTMLElement => {
  const name = allDestinations > destinations.length
    ? `Calls by target: the first ${destinations.length} of ${Words.count(allDestinations)}`
    : "Calls by target"
  return el(
    "div",
    {},
    el("h4", {}, name),
    table(
      name,
      ["Group", "Target", "Period", "Calls"],
      destinations.map(({ calls, periodName, targetGroupId, targetId }) => [String(targetGroupId), String(targetId), periodName ?? "–", Words.count(calls)]),
      [3]
    )
  )
}

const badRowsOf = ({ badExamples, badRows }: Plan): HTMLElement | null => {
  if (badRows === 0) return null
  const name = badRows > badExamples.length ? `Bad rows: the first ${badExamples.length} of ${Words.count(badRows)}` : "Bad rows"
  return el(
    "div",
    {},
    el("h4", {}, name),
    table(
      name,
      ["Line", "Column", "Value", "Reason"],
      badExamples.map(({ column, line, reason, value }) => [String(line), column ?? "–", value === null ? "–" : Words.short(value), reason]),
      [0]
    )
  )
}

/** An empty form. */
export const make = ({ client, orgs, refused, started }: Options): UploadForm => {
  const closing = new AbortController()
  const file = el("input", { type: "file", accept: ".csv,.ndjson,.jsonl,text/csv,application/x-ndjson", required: true })
  const controls = {
    org: select(orgs.map(({ id }) => [id, id])),
    operation: select([["enroll", "Enrol"], ["unenroll", "Un-enrol"]]),
    group: text({ inputmode: "numeric" }),
    target: text({ inputmode: "numeric" }),
    periods: el("textarea", { rows: 2, spellcheck: "false" }),
    initialBalance: text(),
    resetStreak: select([["", "as in the file"], ["true", "yes"], ["false", "no"]]),
    rate: text(),
    name: text({ maxlength: "200" })
  } as const
  const heading = el("h2", { id: "new-job", tabindex: -1 }, "New job")
  const trouble = el("p", { class: "trouble", role: "alert" })
  const progress = el("progress", { max: 1, value: 0, "aria-label": "Upload" })
  const sentSoFar = el("span", { class: "line" })
  const upload = el("div", { class: "upload", hidden: true }, progress, sentSoFar)
  const check = el("button", { type: "submit", class: "primary" }, "Check the file")
  const preview = el("section", { class: "preview", "aria-labelledby": "preview", hidden: true })
  /** Until the form changes, or somebody goes elsewhere. */
  let running = new AbortController()

  const fieldsNow = (): Wish.Fields => ({
    org: controls.org.value,
    operation: controls.operation.value,
    name: controls.name.value.trim() === "" ? file.files?.[0]?.name.slice(0, 200) ?? "" : controls.name.value.trim(),
    group: controls.group.value.trim(),
    target: controls.target.value.trim(),
    periods: controls.periods.value,
    initialBalance: controls.initialBalance.value.trim(),
    resetStreak: controls.resetStreak.value,
    rate: controls.rate.value.trim()
  })

  const mark = (id: string, message: string): void => {
    const control = form.querySelector(`#${id}`)
    const words = form.querySelector(`#${id}-wrong`)
    if (words !== null) write(words, message)
    if (message === "") control?.removeAttribute("aria-invalid")
    else control?.setAttribute("aria-invalid", "true")
  }

  /** The chosen file, where everything is filled in as far as this page can tell. */
  const chosen = (): File | null => {
    const given = file.files?.[0]
    const wrong = Wish.mistakes(fieldsNow())
    for (const id of Object.keys(controls)) mark(id, wrong[id as keyof Wish.Fields] ?? "")
    const refusal = given === undefined ? "Choose a file." : Wish.refusal(given.name, given.size)
    mark("file", refusal ?? "")
    const first = form.querySelector<HTMLElement>("[aria-invalid=true]")
    first?.focus()
    return first === null ? given ?? null : null
  }

  const failed = (why: Trouble): void => {
    if (why.status === 401) return refused()
    write(trouble, why.status === null && why.title === "Stopped" ? "" : `${why.title}. ${why.detail}`)
  }

  const send = async <A>(given: File, dryRun: boolean, idempotencyKey: string | null) => {
    write(trouble, "")
    upload.hidden = false
    const shown = (sent: number): void => {
      progress.value = given.size === 0 ? 1 : Math.min(1, sent / given.size)
      const isSent = sent >= given.size
      write(sentSoFar, isSent ? dryRun ? "Reading what is left …" : "Storing what is left …" : `${Words.size(sent)} of ${Words.size(given.size)}`)
    }
    shown(0)
    check.disabled = true
    const answer = await client.upload<A>(Wish.queryOf(fieldsNow(), dryRun), given, {
      type: Wish.typeOf(given.name),
      idempotencyKey,
      signal: AbortSignal.any([closing.signal, running.signal]),
      progress: shown
    })
    upload.hidden = true
    check.disabled = false
    return answer
  }

  const show = (plan: Plan, given: File): void => {
    const key = Wish.idempotencyKey()
    const start = button(`Start: ${Words.counted(plan.calls, "call")}`, () => {
      start.disabled = true
      void send<Job>(given, false, key).then((answer) => {
        start.disabled = false
        if (isTrouble(answer)) failed(answer)
        else started(answer)
      })
    }, "primary")
    const title = el("h3", { id: "preview", tabindex: -1 }, "Dry run: nothing was stored or sent")
    const facts: ReadonlyArray<readonly [string, string]> = [
      ["Rows", Words.count(plan.rows)],
      ["Calls", Words.count(plan.calls)],
      ["Duplicates", Words.count(plan.duplicates)],
      ["Bad rows", Words.count(plan.badRows)]
    ]
    preview.replaceChildren(
      title,
      el("dl", { class: "facts" }, ...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
      el("p", {}, `Time: ${timeOf(plan)}.`),
      ...(plan.overruled.length === 0 ? [] : [el("p", { class: "notice" }, `The file has its own ${plan.overruled.join(", ")}: what is filled in above is not used.`)]),
      ...(plan.destinations.length === 0 ? [] : [destinationsOf(plan)]),
      ...[badRowsOf(plan)].filter((part) => part !== null),
      el("div", { class: "actions" }, plan.calls > 0 ? start : el("p", { class: "notice" }, "There is nothing to send."))
    )
    preview.hidden = false
    title.focus()
    Say.now(`Dry run: ${Words.counted(plan.calls, "call")}, ${Words.counted(plan.duplicates, "duplicate")}, ${Words.counted(plan.badRows, "bad row")}.`)
  }

  const submit = async (): Promise<void> => {
    const given = chosen()
    if (given === null) return
    const plan = await send<Plan>(given, true, null)
    if (isTrouble(plan)) failed(plan)
    else show(plan, given)
  }

  /** What was checked is no longer what the form says. */
  const stale = (): void => {
    running.abort()
    running = new AbortController()
    preview.hidden = true
    preview.replaceChildren()
    write(trouble, "")
  }

  const form = el(
    "form",
    {
      novalidate: true,
      "aria-labelledby": "new-job",
      oninput: stale,
      onsubmit: (event) => {
        event.preventDefault()
        void submit()
      }
    },
    field("file", "File", file, "CSV with a header, or NDJSON, in UTF-8."),
    el(
      "div",
      { class: "grid" },
      field("org", "Organisation", controls.org, null),
      field("operation", "Operation", controls.operation, null)
    ),
    el(
      "fieldset",
      {},
      el("legend", {}, "For columns that the file does not have"),
      el(
        "div",
        { class: "grid" },
        field("group", "Target group", controls.group, null),
        field("target", "Target", controls.target, null),
        field("periods", "Periods", controls.periods, "One a line; one call for each. Empty for a streak."),
        field("initialBalance", "Initial balance", controls.initialBalance, "A whole number, or resume."),
        field("resetStreak", "Reset streak", controls.resetStreak, null)
      )
    ),
    el(
      "div",
      { class: "grid" },
      field("rate", "Rate", controls.rate, "Such as 600/min. Empty: as fast as the organisation may."),
      field("name", "Name", controls.name, "Empty: the file's.")
    ),
    trouble,
    upload,
    el("div", { class: "actions" }, check)
  )

  return {
    element: el("section", { class: "panel", "aria-labelledby": "new-job" }, el("p", { class: "back" }, el("a", { href: "#/" }, "‹ All jobs")), heading, form, preview),
    heading,
    close: () => closing.abort()
  }
}
