/** Files that have the name of data and are something else: a download that went wrong, or what another program keeps rows in. */
import { statSync } from 'node:fs';
import { firstBytes } from './bytes.ts';
import { dataErrors } from './errors.ts';

const again = 'Download the file itself: what was saved is the answer of a web server.';
const asLines = (how: string): string => `Save its rows as JSON lines, for example ${how}`;

const packed = ['packed in a way that is not read (gzip is)', 'Unpack it, and name the unpacked file.'] as const;

/** What files begin with, what they are then, and the way on. */
const kinds: readonly (readonly [begins: readonly string[], what: string, way: string])[] = [
  [['version https://git-lfs'], 'a Git LFS pointer, not the file', 'Run "git lfs pull" in its repository.'],
  [['<!doctype', '<html', '<?xml', '<error'], 'a web page', again],
  [
    ['pk\u0003\u0004', 'pk\u0005\u0006'],
    'a packed archive or a spreadsheet',
    'Unpack it, or save the sheet as CSV, and name that file.',
  ],
  [['7z\u00bc\u00af', 'rar!', '\u00fd7zxz', 'bzh', '(\u00b5/\u00fd', '\u0004"m\u0018'], ...packed],
  [
    ['arrow1', 'fea1\u0000', '\u00ff\u00ff\u00ff\u00ff'],
    'an Arrow file',
    asLines('dataset.to_json("rows.jsonl") in Python.'),
  ],
  [
    ['\u0080\u0002', '\u0080\u0003', '\u0080\u0004', '\u0080\u0005'],
    "Python's own format (pickle)",
    asLines('json.dumps of each row in Python. A pickle can run programs and is never opened here.'),
  ],
  [['sqlite format 3'], 'a database of SQLite', asLines('sqlite3 FILE -json "select * from TABLE" > rows.json.')],
  [['\u0089hdf'], 'an HDF5 file', asLines('df.to_json("rows.jsonl", orient="records", lines=True) in Python.')],
  [['obj\u0001'], 'an Avro file', asLines('avro-tools tojson FILE > rows.jsonl.')],
  [['\u0093numpy'], 'an array of NumPy', asLines('json.dumps of each row in Python.')],
  [['%pdf-'], 'a PDF', 'Save its text, and name that file.'],
];

/** Files that begin with what a text may begin with too. */
const endings: readonly (readonly [ending: RegExp, what: string, way: string])[] = [
  [/\.(?:br|lzma|z)$/i, ...packed],
  [/\.orc$/i, 'an ORC file', asLines('df.to_json("rows.jsonl", orient="records", lines=True) in Python.')],
];

/**
 * Throws `data.otherFile` where a file that was named is none of rows or text; `data.missingFile`.
 *
 * @param text whether it is to be read as a text, of which UTF-16 is not read
 */
export async function refuseOther(file: string, text: boolean): Promise<void> {
  let isFolder: boolean;
  try {
    isFolder = statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch (cause) {
    // Links in a circle, a name that is too long.
    throw dataErrors.missingFile(file, cause);
  }
  if (isFolder)
    throw dataErrors.otherFile(
      file,
      'a folder',
      'Name a file in it. In a run spec a folder whose name has no ending is read as text.',
    );
  const start = (await firstBytes(file, 64)).toString('latin1').trimStart();
  const kind =
    kinds.find(([begins]) => begins.some((mark) => start.toLowerCase().startsWith(mark))) ??
    endings.find(([ending]) => ending.test(file));
  if (kind !== undefined) throw dataErrors.otherFile(file, kind[1], kind[2]);
  if (text && (start.startsWith('\u00ff\u00fe') || start.startsWith('\u00fe\u00ff')))
    throw dataErrors.otherFile(file, 'text in UTF-16', 'Save it as UTF-8.');
}
