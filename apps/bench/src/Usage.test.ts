import { expect, it } from "vitest"
import * as Usage from "./Usage.js"

it("memory is read in megabytes of a million bytes, and is not known of a process that is gone", () => {
  const status = "Name:\tnode\nVmPeak:\t  999999 kB\nVmHWM:\t  100000 kB\nVmRSS:\t   50000 kB\n"
  expect(Usage.megabytes(status, "VmHWM")).toBe(102.4)
  expect(Usage.megabytes(status, "VmRSS")).toBe(51.2)
  expect(Usage.megabytes("", "VmHWM")).toBeNull()
})

it("CPU of a process and of its children is found behind a name that looks like fields", () => {
  const stat = `42 (a (b) 7 c) S ${Array.from({ length: 49 }, (_, index) => index + 4).join(" ")}`
  expect(Usage.ownSeconds(stat)).toBe((14 + 15) / 100)
  expect(Usage.childrenSeconds(stat)).toBe((16 + 17) / 100)
})

it("what a process of one thread has run is told in nanoseconds", () => {
  expect(Usage.ranSeconds("1500000000 200 3\n")).toBe(1.5)
})

it.runIf(process.platform === "linux")("a command's exit, words, time, CPU and memory are those of its whole process", async () => {
  const program = `
    const held = Buffer.alloc(200_000_000, 1)
    const end = performance.now() + 500
    while (performance.now() < end);
    console.log(held.length)
    console.error("said")
    process.exitCode = 3`
  const ran = await Usage.run(["-e", program], { cwd: "/", env: {} })
  expect(ran).toMatchObject({ exitCode: 3, stdout: "200000000\n", stderr: "said\n" })
  expect(ran.seconds).toBeGreaterThan(0.5)
  expect(ran.cpuSeconds).toBeGreaterThan(0.1)
  expect(ran.peakMegabytes).toBeGreaterThan(200)
  expect(ran.residentMegabytes).toBeLessThanOrEqual(ran.peakMegabytes)
})
