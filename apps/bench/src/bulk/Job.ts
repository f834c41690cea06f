/** What a script of the bulk benchmark is given, and what it tells at its end. */

/** A file of customers, the upstream to enrol them at, and the file for what becomes of each. */
export interface Job {
  readonly file: string
  readonly origin: string
  readonly results: string
}

/** How many were enrolled, in the words of the CLI's own document, so that both are judged by the same eyes. */
export interface Told {
  readonly counts: { readonly enrolled: number }
}

/** Does a job. */
export type Script = (job: Job) => Promise<Told>
