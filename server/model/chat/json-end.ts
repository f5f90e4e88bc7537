/** Finds where a JSON object ends while its text grows: no character is looked at twice. */
export class JsonEnd {
  private depth = 0;
  private quoted = false;
  private escaped = false;
  private end: number | undefined;

  /** @param at where the object begins */
  constructor(private at: number) {}

  /** @returns the place behind the object; undefined while it is open */
  find(text: string): number | undefined {
    if (this.end !== undefined) return this.end;
    for (; this.at < text.length; this.at++) {
      const sign = text[this.at];
      if (this.escaped) this.escaped = false;
      else if (this.quoted) {
        if (sign === '\\') this.escaped = true;
        else if (sign === '"') this.quoted = false;
      } else if (sign === '"') this.quoted = true;
      else if (sign === '{' || sign === '[') this.depth++;
      else if ((sign === '}' || sign === ']') && --this.depth === 0) {
        this.end = this.at + 1;
        return this.end;
      }
    }
    return undefined;
  }
}
