/** The errors of files that are not what they should be, whatever is in them. */
import { type ColaError, catalogue } from '../errors.ts';

export const fileErrors = catalogue('files', {
  link: (path: string) => [
    `${path} is a link to another place, and what is in .cola is neither read nor written through links.`,
    'Delete the link and put the file or folder itself there.',
  ],
  linkedHome: (path: string) => [
    `${path} is a link to another place, and CoLA Studio keeps its files in no folder behind a link.`,
    'Delete the link and move the folder itself there, or open the folder of the other disk as your project. A disk that is mounted there is no link.',
  ],
  kind: (path: string, kind: string) => [
    `${path} is ${kind}, where a file should be.`,
    'Name a file instead. Where CoLA Studio keeps one of its own, it can be deleted.',
  ],
  tooLarge: (path: string, limit: number) => [
    `${path} is larger than ${inWords(limit)}, which no file of its kind should be.`,
    'Check whether it is the right file; move it away if it is not.',
  ],
  longLine: (path: string, limit: number) => [
    `${path} has a line of more than ${inWords(limit)}, which no line of it should have.`,
    'The file was changed or damaged; restore it, or delete that line.',
  ],
});

function inWords(bytes: number): string {
  return bytes >= 1 << 20 ? `${bytes >> 20} MB` : `${bytes >> 10} kB`;
}

export const diskErrors = catalogue('store', {
  cannotWrite: (path: string, cause: unknown) => [
    `${path} cannot be written (${reason(cause)}).`,
    ['ENOENT', 'ENOTDIR'].includes(codeOf(cause))
      ? 'Name a file in a folder that is there, or make the folder first.'
      : 'Check that the disk has free space and that you may write there; what was there before is unchanged.',
    cause,
  ],
  cannotRead: (path: string, cause: unknown) => [
    `${path} cannot be read (${reason(cause)}).`,
    'Check that it exists and that you may read it.',
    cause,
  ],
});

const codeOf = (cause: unknown): string =>
  cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';

/** Whether an error is that the disk took no more, rather than that somewhere else was named. */
export const diskFailed = (error: ColaError): boolean =>
  error.id === 'store.cannotWrite' && ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO'].includes(codeOf(error.cause));

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
