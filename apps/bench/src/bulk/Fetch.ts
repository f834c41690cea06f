/** A plain script over Node's own `fetch`. */
import * as BuiltInFetch from "../contenders/BuiltInFetch.js"
import type { Script } from "./Job.js"
import * as Plain from "./Plain.js"

/** Does a job. */
export const run: Script = (job) => Plain.run(job, BuiltInFetch.enroll(job.origin))
