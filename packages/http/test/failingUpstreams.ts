/** Every way in which a call can go wrong outside of us, each with what must be known of the call afterwards. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Options } from "../src/Connection.js"
import * as Upstreams from "./upstreams.js"

export interface Scenario {
  readonly name: string
  /** Where to call; answers a token request with this token where it answers at all. */
  readonly start: (token: string) => Effect.Effect<string, never, Scope.Scope>
  readonly fate: string
  /** Where an HTTP client cannot tell as much as undici's dispatcher does. */
  readonly portableFate?: string
  readonly options?: Partial<Options>
}

const url = (upstream: Effect.Effect<Upstreams.Upstream, never, Scope.Scope>) => Effect.map(upstream, (up) => up.url)

const answering = (answer: Upstreams.Answer) => (token: string) => url(Upstreams.http(Upstreams.issuing(token, answer)))

const headers = (request: Upstreams.Received) => JSON.stringify(request.headers)

/** What a careless gateway shows of a request: its headers and, decoded, whom it believes to speak to. */
const echo = (request: Upstreams.Received): string => {
  const decoded = Buffer.from((request.headers.authorization ?? "").replace("Basic ", ""), "base64").toString()
  return `${headers(request)} ${decoded} ${decoded.toUpperCase()} ${request.body}`
}

const html = (status: number): Upstreams.Answer => (request, response) => {
  response.writeHead(status, { "content-type": `text/html; seen="${request.headers.authorization ?? ""}"` })
  response.end(`<html><head><title>${echo(request)}</title></head><body>${echo(request)}</body></html>`)
}

const tokenFailing = (answer: Upstreams.Answer) => (_token: string) => url(Upstreams.http(answer))

export const scenarios: ReadonlyArray<Scenario> = [
  {
    name: "an upstream that takes the call and never answers",
    start: () => url(Upstreams.silent),
    options: { timeoutMillis: 150 },
    fate: "NoAnswer/Timeout"
  },
  {
    name: "an answer that drips on beyond the time limit",
    start: answering((_, response) => {
      response.writeHead(200, { "content-length": "1000000" })
      const drip = setInterval(() => response.write(" "), 10)
      response.on("close", () => clearInterval(drip))
    }),
    options: { timeoutMillis: 300 },
    fate: "NoAnswer/Timeout"
  },
  {
    name: "a connection reset after the call was read",
    start: answering((_, response) => response.socket?.resetAndDestroy()),
    fate: "NoAnswer/Reset"
  },
  {
    name: "an answer cut off before the length that it announced",
    start: answering((_, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000" })
      response.write(`{"data":564332013,`, () => response.socket?.end())
    }),
    fate: "NoAnswer/Reset"
  },
  {
    name: "a chunked answer cut off before its last chunk",
    start: answering((_, response) => {
      response.writeHead(200, { "content-type": "application/json" })
      response.write(`{"data":564332013,`, () => response.socket?.destroy())
    }),
    fate: "NoAnswer/Reset"
  },
  {
    name: "an answer that is not HTTP",
    start: () => url(Upstreams.tcp((socket) => socket.end("220 mail.example ESMTP\r\n\r\n"))),
    fate: "NoAnswer/Reset"
  },
  {
    name: "headers without end",
    start: answering((_, response) => {
      response.writeHead(200, { "x-filler": "x".repeat(100_000) })
      response.end()
    }),
    fate: "NoAnswer/Reset"
  },
  {
    name: "a body of 10 MB that is announced",
    start: answering((_, response) => Upstreams.json(response, JSON.stringify({ data: "x".repeat(10_000_000) }))),
    fate: "MalformedAnswer/TooLarge"
  },
  {
    name: "a body of 10 MB that is not announced",
    start: answering((_, response) => {
      response.writeHead(200)
      for (let at = 0; at < 10; at++) response.write("x".repeat(1_000_000))
      response.end()
    }),
    fate: "MalformedAnswer/TooLarge"
  },
  {
    name: "a port on which nothing listens",
    start: () => Effect.map(Upstreams.unusedPort, (port) => `http://127.0.0.1:${port}`),
    fate: "NotSent/Refused"
  },
  {
    name: "a name that does not resolve",
    start: () => Upstreams.unknownHost,
    fate: "NotSent/Dns"
  },
  {
    name: "a certificate that nobody trusts",
    start: () => url(Upstreams.https(Upstreams.accepting())),
    fate: "NotSent/Tls"
  },
  {
    name: "https to a server that speaks http",
    start: () => Effect.map(Upstreams.http(Upstreams.accepting()), ({ port }) => `https://127.0.0.1:${port}`),
    fate: "NotSent/Tls",
    portableFate: "NoAnswer/Reset"
  },
  {
    name: "a TLS handshake that never ends",
    start: () => Effect.map(Upstreams.silent, ({ port }) => `https://127.0.0.1:${port}`),
    options: { timeoutMillis: 200 },
    fate: "NotSent/ConnectTimeout",
    portableFate: "NoAnswer/Timeout"
  },
  {
    name: "an error page that repeats the call",
    start: answering(html(502)),
    fate: "502"
  },
  {
    name: "a success page that repeats the call",
    start: answering(html(200)),
    fate: "200"
  },
  {
    name: "an error in JSON whose message repeats the call",
    start: answering((request, response) =>
      Upstreams.json(response, { data: null, errors: [{ code: 300004, message: echo(request) }], warnings: null }, 400)
    ),
    fate: "400"
  },
  {
    name: "an undocumented error in JSON with every character escaped that Gson escapes",
    start: answering((request, response) => {
      const text = JSON.stringify({ errors: [{ code: 999, message: echo(request) }] })
      Upstreams.json(response, text.replaceAll("=", "\\u003d").replaceAll("/", "\\/"), 200)
    }),
    fate: "200"
  },
  {
    name: "a warning that repeats the call",
    start: answering((request, response) =>
      Upstreams.json(response, { data: 564332013, errors: [], warnings: [{ code: 1, message: echo(request) }] })
    ),
    fate: "200"
  },
  {
    name: "credentials that are refused, and repeated",
    start: answering(html(401)),
    fate: "401"
  },
  {
    name: "a redirect that repeats the call",
    start: answering((request, response) => {
      response.writeHead(302, { location: `http://127.0.0.1:1/?${encodeURIComponent(headers(request))}` })
      response.end(echo(request))
    }),
    fate: "302"
  }
]

/** What a token service can do; only OAuth meets these. */
export const tokenScenarios: ReadonlyArray<Scenario> = [
  {
    name: "a token service that refuses with 401 and repeats the request",
    start: tokenFailing(html(401)),
    fate: "NotSent/CredentialsRefused"
  },
  {
    name: "a token service that refuses in its body and repeats the request",
    start: tokenFailing((request, response) =>
      Upstreams.json(response, { data: null, errors: [{ code: 1, message: echo(request) }] })
    ),
    fate: "NotSent/CredentialsRefused"
  },
  {
    name: "a token service that fails with 500 and repeats the request",
    start: tokenFailing(html(500)),
    fate: "NotSent/TokenUnavailable"
  },
  {
    name: "a token service that answers with a page",
    start: tokenFailing(html(200)),
    fate: "NotSent/TokenUnavailable"
  },
  {
    name: "a token service that gives a token with a line break in it",
    start: tokenFailing((request, response) =>
      Upstreams.json(response, { data: { accessToken: `x\r\nX-Evil: ${echo(request)}`, ttlSeconds: 3600 } })
    ),
    fate: "NotSent/TokenUnavailable"
  },
  {
    name: "a token service that never answers",
    start: () => url(Upstreams.silent),
    options: { timeoutMillis: 150 },
    fate: "NotSent/TokenUnavailable"
  },
  {
    name: "a token service that resets the connection",
    start: () => url(Upstreams.tcp((socket) => socket.resetAndDestroy())),
    fate: "NotSent/TokenUnavailable"
  }
]
