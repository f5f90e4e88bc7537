/** Where a script in the extension host writes what it found, in the folder that is open. */
export const reportFile = 'report.json';
