/** `Pool.dispatch` of undici under a promise: the floor, below which there is only another HTTP client. */
import { type Dispatcher, Pool } from "undici"
import { type Open, promises } from "../Contender.js"
import * as Work from "../Work.js"

/** Says how a call ended by its parsed answer. */
export type Judge = typeof Work.ended

class Handler implements Dispatcher.DispatchHandler {
  private status = 0
  private text = ""

  constructor(
    private readonly judge: Judge,
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
      this.resolve(this.judge(this.call, this.status, JSON.parse(this.text)))
    } catch (error) {
      this.reject(error)
    }
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.reject(error)
  }
}

/** How calls differ from those of the other contenders. */
export interface Options {
  readonly headers?: typeof Work.headers | undefined
  /** Told how long each call took, from when it was begun to when its answer was judged. */
  readonly took?: ((millis: number) => void) | undefined
}

/** Opens a pool of as many connections as calls in flight; answers are judged as told. */
export const openWith = (judge: Judge, { headers = Work.headers, took }: Options = {}): Open => (origin) => {
  const pool = new Pool(origin, { connections: Work.inFlight })
  const enroll = (call: Work.Call): Promise<Work.Ended> =>
    new Promise((resolve, reject) => {
      const begun = took === undefined ? 0 : performance.now()
      const ended = took === undefined ? resolve : (end: Work.Ended): void => {
        took(performance.now() - begun)
        resolve(end)
      }
      pool.dispatch(
        { method: "POST", path: Work.path(call), headers, body: Work.body(call) },
        new Handler(judge, call, ended, reject)
      )
    })
  return promises(enroll, () => pool.close())
}

/** The same, for an upstream that names the customer it was asked for. */
export const open: Open = openWith(Work.ended)
