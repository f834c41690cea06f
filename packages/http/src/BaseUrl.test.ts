import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as BaseUrl from "./BaseUrl.js"

const refusal = (text: string): string => {
  const refused = Either.flip(BaseUrl.fromText(text))
  return Either.isRight(refused) ? `${refused.right.setting}: ${refused.right.message}` : `accepted ${refused.left}`
}

describe("BaseUrl", () => {
  it("a cluster's name stands for its host", () => {
    for (const cluster of ["eu", "us", "apac", "apac2", " EU "]) {
      expect(BaseUrl.fromText(cluster)).toEqual(
        Either.right(`https://${cluster.trim().toLowerCase()}.api.capillarytech.com`)
      )
    }
  })

  it("https is accepted to any host, in its shortest form", () => {
    const accepted = {
      "https://gateway.example": "https://gateway.example",
      "https://Gateway.Example:443/": "https://gateway.example",
      "HTTPS://10.0.0.7:8443": "https://10.0.0.7:8443",
      "https://[2001:db8::1]:8443/": "https://[2001:db8::1]:8443"
    }
    for (const [text, origin] of Object.entries(accepted)) expect(BaseUrl.fromText(text)).toEqual(Either.right(origin))
  })

  it("http is accepted to this machine only", () => {
    for (const host of ["localhost", "localhost:8080", "127.0.0.1", "127.255.0.3:1", "[::1]:8080"]) {
      expect(BaseUrl.fromText(`http://${host}`)).toEqual(Either.right(`http://${host}`))
    }
    const elsewhere = [
      "gateway.example",
      "127.0.0.1.evil.example",
      "127.evil.example",
      "localhost.evil.example",
      "10.0.0.1",
      "0.0.0.0",
      "[::]",
      "[2001:db8::1]",
      "128.0.0.1"
    ]
    for (const host of elsewhere) expect(refusal(`http://${host}`)).toContain("in clear text")
  })

  it("http to anywhere needs the word insecure", () => {
    expect(BaseUrl.fromText("http://gateway.example", { insecure: true })).toEqual(
      Either.right("http://gateway.example")
    )
  })

  it("what is more than scheme, host and port is refused", () => {
    expect(refusal("https://gateway.example/api")).toContain("has a path")
    expect(refusal("https://gateway.example?x=1")).toContain("a query or a fragment")
    expect(refusal("https://gateway.example?")).toContain("a query or a fragment")
    expect(refusal("https://gateway.example/#top")).toContain("a query or a fragment")
  })

  it("what the URL parser would mend is refused", () => {
    const texts = [
      "",
      "emea",
      "gateway.example",
      "https:gateway.example",
      "https:/gateway.example",
      "https:\\\\gateway.example",
      "https://gate\r\nway.example",
      "https://gate\tway.example",
      "https://gateway.example\\evil",
      "https://",
      "https://:443",
      "ftp://gateway.example",
      "file:///etc/passwd",
      "javascript:alert(1)"
    ]
    for (const text of texts) expect(refusal(text)).toContain("is not a cluster (eu, us, apac, apac2) or a URL")
  })

  it("a user or a password in the URL is refused and not repeated", () => {
    for (const text of ["https://till:s3cret@gateway.example", "https://s3cret@gateway.example", "https://s3cret@"]) {
      expect(refusal(text)).toContain("no user or password")
      expect(refusal(text)).not.toContain("s3cret")
    }
  })

  it("messages can name host and port", () => {
    const hostAndPort = (text: string) => Either.map(BaseUrl.fromText(text), BaseUrl.hostAndPort)
    expect(hostAndPort("eu")).toEqual(Either.right("eu.api.capillarytech.com:443"))
    expect(hostAndPort("http://[::1]")).toEqual(Either.right("[::1]:80"))
    expect(hostAndPort("http://127.0.0.1:8080")).toEqual(Either.right("127.0.0.1:8080"))
  })
})
