/** This package's version, as it goes into the user agent; a test holds it equal to `package.json`. */
export const version = "0.0.0"
