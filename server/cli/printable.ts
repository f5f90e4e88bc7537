/** Texts of models, files and servers on a terminal. */
import type { Sink } from './io.ts';

/**
 * A text without the characters by which a terminal is told to do something (move the cursor, change its title, fill the
 * clipboard): each is shown by its picture instead. Lines and tabs stay.
 */
export const printable = (text: string): string =>
  text.replaceAll(/\r\n/g, '\n').replaceAll(/[^\P{Cc}\n\t]/gu, (control) => {
    const code = control.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '\u2421' : '\ufffd';
  });

/** A text as it goes to a stream: to a file or another program as it is. */
export const shownOn = ({ isTTY }: Sink, text: string): string => (isTTY === true ? printable(text) : text);

/** JSON with all control characters escaped, which leaves its value. */
export const printableJson = (json: string): string =>
  json.replaceAll(/[\u007f-\u009f]/g, (control) => `\\u00${control.charCodeAt(0).toString(16)}`);
