const visible = /^[\x21-\x7e\xa0-\xff](?:[\x20-\x7e\xa0-\xff]*[\x21-\x7e\xa0-\xff])?$/

/**
 * Whether a text arrives unchanged as a header's value: Latin-1, no control characters, no blanks around it.
 *
 * A line break in a value would begin another header.
 */
export const isHeaderText = (text: string): boolean => visible.test(text)
