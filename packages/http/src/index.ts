/**
 * The live transport: authentication, headers, pooled connections, redaction.
 *
 * Every module is a namespace here and a subpath of its own. `@milepost/http/HttpClientTransport` loads nothing of Node.
 */
export * as BasePath from "./BasePath.js"
export * as BaseUrl from "./BaseUrl.js"
export * as BasicAuth from "./BasicAuth.js"
export * as Connection from "./Connection.js"
export * as Direct from "./Direct.js"
export * as HttpClientTransport from "./HttpClientTransport.js"
export * as OAuthToken from "./OAuthToken.js"
export * as UndiciTransport from "./UndiciTransport.js"
