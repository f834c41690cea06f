/** A certificate for localhost and 127.0.0.1 that nobody trusts, made anew for each run: no key lies in the repository. */
import { generate } from "selfsigned"

const made = await generate([{ name: "commonName", value: "localhost" }], {
  algorithm: "sha256",
  extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }, { type: 7, ip: "127.0.0.1" }] }]
})

export const certificate: string = made.cert

export const key: string = made.private
