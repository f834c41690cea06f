/** Where things are in this repository, for the scripts beside this file. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"

/** The repository's root. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..")

/** @param {string} path absolute; as people write it: from the root on. */
export const shown = (path) => relative(root, path)

/** The program of a root dependency. @param {string} name */
export const binary = (name) => join(root, "node_modules", ".bin", name)

/**
 * The versions of the catalog in `pnpm-workspace.yaml` by name, and the ranges that the published packages ask for.
 *
 * @param {"catalog" | "ranges"} kind
 * @returns {Readonly<Record<string, string>>}
 */
export const catalog = (kind = "catalog") => {
  const text = readFileSync(join(root, "pnpm-workspace.yaml"), "utf8")
  const block = new RegExp(`^( *)${kind}:\\n((?:\\1 {2}\\S.*\\n)+)`, "m").exec(text)?.[2]
  if (block === undefined) throw new Error(`pnpm-workspace.yaml holds no ${kind}`)
  return Object.fromEntries(block.trimEnd().split("\n").map((line) => line.trim().replaceAll("\"", "").split(": ")))
}

/**
 * The published packages, in the order of their names.
 *
 * @returns {ReadonlyArray<{ folder: string, path: string, name: string, manifest: Record<string, any> }>}
 */
export const packages = () =>
  readdirSync(join(root, "packages")).sort().flatMap((folder) => {
    const path = join(root, "packages", folder)
    if (!existsSync(join(path, "package.json"))) return []
    const manifest = JSON.parse(readFileSync(join(path, "package.json"), "utf8"))
    return manifest.private === true ? [] : [{ folder, path, name: manifest.name, manifest }]
  })

/**
 * The files below a folder, in the order of their names; `[]` where there is no such folder.
 *
 * @param {string} folder
 * @param {(path: string) => boolean} wanted
 * @returns {ReadonlyArray<string>}
 */
export const filesBelow = (folder, wanted) =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true })
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        const path = join(folder, entry.name)
        if (entry.isDirectory()) return entry.name === "node_modules" ? [] : filesBelow(path, wanted)
        return wanted(path) ? [path] : []
      })
    : []

/** Whether a path is a source that is published: TypeScript, and neither a test nor a declaration. @param {string} path */
export const isSource = (path) => /(?<!\.test|\.d)\.tsx?$/.test(path)
