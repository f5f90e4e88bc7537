/** Errors of the language server. */
import { catalogue } from '../errors.ts';

export const serverErrors = catalogue('server', {
  untrusted: (what: string) => [
    `${what} uses what is in this folder, and the folder is not trusted.`,
    'Trust it with "Workspaces: Manage Workspace Trust" if you know where it comes from.',
  ],
});
