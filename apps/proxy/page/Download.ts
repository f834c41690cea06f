/** Results as a file: fetched with the key, which a plain link could not send. */
import { type Client, isTrouble } from "./Client.js"
import { el } from "./Dom.js"

/** Saves the results of a job with this outcome, or all of them; what is answered says why it did not go. */
export const results = async (client: Client, id: string, outcome: string | null, signal: AbortSignal): Promise<string | null> => {
  const query = outcome === null ? "" : `?outcome=${outcome}`
  const answer = await client.open(`/v1/jobs/${encodeURIComponent(id)}/results${query}`, { accept: "text/csv" }, signal)
  if (isTrouble(answer)) return `${answer.title}. ${answer.detail}`
  try {
    // A browser keeps a large blob on disk.
    const url = URL.createObjectURL(await answer.blob())
    const link = el("a", { href: url, download: `${id}${outcome === null ? "" : `-${outcome}`}.csv`, hidden: true })
    document.body.append(link)
    link.click()
    link.remove()
    setTimeout(() => URL.revokeObjectURL(url), 60_000)
    return null
  } catch {
    return signal.aborted ? null : "The download broke off: try again."
  }
}
