/** `milepost completions`: a script for the shell, derived from the commands and flags that there are. */
import type { Command } from "commander"

/** The shells that scripts are made for. */
export const shells = ["bash", "zsh", "fish"] as const

/** A shell that scripts are made for. */
export type Shell = (typeof shells)[number]

interface Node {
  /** The words of the command behind `milepost`, e.g. `bulk enroll`. */
  readonly path: string
  readonly words: ReadonlyArray<readonly [word: string, description: string]>
}

const nodesOf = (command: Command, path: ReadonlyArray<string> = []): ReadonlyArray<Node> => {
  const words = [
    ...command.commands.map((child): readonly [string, string] => [child.name(), child.description()]),
    ...command.options.map((option): readonly [string, string] => [option.long ?? option.flags, option.description]),
    ["--help", "display help"] as const
  ]
  return [
    { path: path.join(" "), words },
    ...command.commands.flatMap((child) => nodesOf(child, [...path, child.name()]))
  ]
}

const subcommands = (nodes: ReadonlyArray<Node>): ReadonlyArray<string> =>
  [...new Set(nodes.flatMap(({ path }) => path.split(" ")))].filter((word) => word !== "")

const bash = (nodes: ReadonlyArray<Node>): string => `_milepost() {
  local path="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in ${subcommands(nodes).join("|")}) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${nodes.map(({ path, words }) => `    "${path}") COMPREPLY=($(compgen -W "${words.map(([word]) => word).join(" ")}" -- "\${COMP_WORDS[COMP_CWORD]}")) ;;`).join("\n")}
  esac
}
complete -o default -F _milepost milepost`

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

const zsh = (nodes: ReadonlyArray<Node>): string => `#compdef milepost
_milepost() {
  local path="" word
  local -a choices
  for word in \${words[2,CURRENT-1]}; do
    case "$word" in (${subcommands(nodes).join("|")}) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${
  nodes.map(({ path, words }) =>
    `    "${path}") choices=(${words.map(([word, description]) => quoted(`${word}:${description.replaceAll(":", " ")}`)).join(" ")}) ;;`
  ).join("\n")
}
  esac
  _describe milepost choices
  _files
}
compdef _milepost milepost`

const fish = (nodes: ReadonlyArray<Node>): string =>
  nodes.flatMap(({ path, words }) => {
    const seen = path === "" ? [] : path.split(" ")
    const children = subcommands(nodes.filter((node) => node.path !== path && node.path.startsWith(path === "" ? "" : `${path} `)))
      .filter((word) => !seen.includes(word))
    const condition = [
      ...seen.map((word) => `__fish_seen_subcommand_from ${word}`),
      ...(children.length === 0 ? [] : [`not __fish_seen_subcommand_from ${children.join(" ")}`])
    ].join("; and ")
    const when = condition === "" ? "" : ` -n ${quoted(condition)}`
    return words.map(([word, description]) =>
      word.startsWith("--")
        ? `complete -c milepost${when} -l ${word.slice(2)} -d ${quoted(description)}`
        : `complete -c milepost${when} -f -a ${word} -d ${quoted(description)}`
    )
  }).join("\n")

/** The script of a shell. */
export const script = (shell: Shell, program: Command): string => ({ bash, zsh, fish })[shell](nodesOf(program))
