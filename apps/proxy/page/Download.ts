/** Results as a file: fetched with the key, which a plain link could not send. */
import { type Client, isTrouble } from "./Client.js"
import { el } from "./Dom.js"

/** What can be saved of a job: results by outcome, all of them, or the failed rows as they were uploaded. */
export type What = "all" | "failed" | "rejected" | "unknown"

const pathOf = (what: What): string => {
  if (what === "failed") return "/failed"
  return what === "all" ? "/results" : `/results?outcome=${what}`
}

/** Saves it; what is answered says why it did not go. */
export const save = async (client: Client, id: string, what: What, signal: AbortSignal): Promise<string | null> => {
  const answer = await client.open(`/v1/jobs/${encodeURIComponent(id)}${pathOf(what)}`, { accept: "text/csv" }, signal)
  if (isTrouble(answer)) return `${answer.title}. ${answer.detail}`
  const extension = answer.headers.get("content-type")?.includes("ndjson") === true ? "ndjson" : "csv"
  try {
    // A browser keeps a large blob on disk.
    const url = URL.createObjectURL(await answer.blob())
    const link = el("a", { href: url, download: `${id}${what === "all" ? "" : `-${what}`}.${extension}`, hidden: true })
    document.body.append(link)
    link.click()
    link.remove()
    setTimeout(() => URL.revokeObjectURL(url), 60_000)
    return null
  } catch {
    return signal.aborted ? null : "The download broke off: try again."
  }
}
