/** What begins the line of a worker that says how a test file ended; nothing that a test prints has this character. */
export const endOfFile = '\u0001end ';
