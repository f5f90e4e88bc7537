/** What of the folder of a run may be a model that can be chosen. Knows nothing of the editor. */

/** Whether a path is that of the folder of a run, or lies in that of its model; checkpoints and samples come and go as long as it goes on. */
export const mayBeModel = (path: string): boolean => /[/\\]runs[/\\][^/\\]+(?:[/\\]model(?:[/\\].*)?)?$/.test(path);
