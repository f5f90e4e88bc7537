/** A row as token ids, cut into what is given and what follows. */
import type { ChatTemplate } from '../model/chat/chat.ts';
import type { Tokenizer } from '../model/tokenizer/tokenizer.ts';
import type { TokenRow } from './packing.ts';
import type { Row } from './rows.ts';
import { encodeRow } from './token-cache.ts';

/**
 * Token ids of a row, cut into what is given and what is learned. A prompt goes through the chat template where there
 * is one; a bare response ends with `endId`. Of several turns the response begins with the first answer, and its mask leaves
 * out what was said in between.
 */
export function tokenRow(row: Row, tokenizer: Tokenizer, template: ChatTemplate | undefined, endId: number): TokenRow {
  const asked: Row =
    row.kind === 'prompt' && template !== undefined
      ? {
          kind: 'chat',
          messages: [
            { role: 'user', content: row.prompt.trim() },
            { role: 'assistant', content: (row.response ?? '').trim() },
          ],
          columns: row.columns,
        }
      : row;
  const { ids, responseMask } = encodeRow(asked, tokenizer, template);
  const start = responseMask.indexOf(1);
  const cut = start < 0 ? ids.length : start;
  const response = [...ids.subarray(cut)];
  const prompt = ids.subarray(0, cut);
  if (asked.kind === 'text' && asked.parts !== undefined) {
    const mask = [...responseMask.subarray(cut)];
    // They say themselves where they end.
    if (response.at(-1) !== endId) {
      response.push(endId);
      mask.push(mask.at(-1) ?? 0);
    }
    return { prompt, response, ...(mask.includes(0) ? { mask } : {}) };
  }
  const ended = asked.kind === 'chat' && (template !== undefined || asked.episode === true);
  if (!ended) return { prompt, response: [...response, endId] };
  const mask = responseMask.subarray(cut);
  return { prompt, response, ...(mask.includes(0) ? { mask } : {}) };
}
