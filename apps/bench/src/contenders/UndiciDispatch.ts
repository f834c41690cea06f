/** `Pool.dispatch` of undici under a promise: the floor, below which there is only another HTTP client. */
import { type Dispatcher, Pool } from "undici"
import { type Open, promises } from "../Contender.js"
import * as Work from "../Work.js"

class Handler implements Dispatcher.DispatchHandler {
  private status = 0
  private text = ""

  constructor(
    private readonly call: Work.Call,
    private readonly resolve: (ended: Work.Ended) => void,
    private readonly reject: (error: unknown) => void
  ) {}

  onRequestStart(): void {}

  onResponseStart(_: Dispatcher.DispatchController, status: number): void {
    this.status = status
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.text += chunk.toString()
  }

  onResponseEnd(): void {
    try {
      this.resolve(Work.ended(this.call, this.status, JSON.parse(this.text)))
    } catch (error) {
      this.reject(error)
    }
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.reject(error)
  }
}

/** Opens a pool of as many connections as calls in flight. */
export const open: Open = (origin) => {
  const pool = new Pool(origin, { connections: Work.inFlight })
  return promises(
    (call) =>
      new Promise((resolve, reject) => {
        pool.dispatch(
          { method: "POST", path: Work.path(call), headers: Work.headers, body: Work.body(call) },
          new Handler(call, resolve, reject)
        )
      }),
    () => pool.close()
  )
}
