/** The arguments of `cola actions`. Knows nothing of the editor. */

/** @param cola file of the command line. @param model and text as they are: nothing in a name means anything here */
export function actionsArguments(cola: string, model: string, text: string | undefined): string[] {
  return [cola, 'actions', ...(text === undefined ? [] : ['--text', text]), '--', model];
}
