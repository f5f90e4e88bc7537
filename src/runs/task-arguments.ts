/** The arguments of commands that run as tasks. Knows nothing of the editor; nothing in a name means anything here. */

/**
 * Of `cola actions`.
 *
 * @param cola file of the command line
 */
export function actionsArguments(cola: string, model: string, text: string | undefined): string[] {
  return [cola, 'actions', ...(text === undefined ? [] : ['--text', text]), '--', model];
}

/**
 * Of `cola serve`.
 *
 * @param cola file of the command line
 */
export function serveArguments(cola: string, model: string): string[] {
  // Together, so that a name that begins with a dash is no option.
  return [cola, 'serve', `--model=${model}`];
}
