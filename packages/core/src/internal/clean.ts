/** The longest text of somebody else's that an error or a warning of ours may carry. */
const longest = 300

/**
 * Makes upstream text safe to print: one line, no control characters, bounded.
 *
 * A message is the only free text that crosses from an answer into an error.
 */
export const clean = (text: string): string => {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]+/gu, " ").trim()
  // A cut through a character beyond U+FFFF would leave half of it, which is no text.
  return line.length <= longest ? line : `${line.slice(0, longest).replace(/\p{Cs}$/u, "")}…`
}
