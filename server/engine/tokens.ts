/** How many tokens texts have for a model, whose tokenizer alone is read. */
import { loadTokenizer } from '../model/tokenizer/tokenizer.ts';
import type { ParamsOf, ResultOf } from '../protocol/channel/request.ts';
import type { countTokens } from '../protocol/data.ts';
import { tokenizerFolder } from '../train/run/spec-memory.ts';

/** @throws model.*, tokenizer.* where there is none that can be read */
export function countTokensOf({ model, texts }: ParamsOf<typeof countTokens>): ResultOf<typeof countTokens> {
  const tokenizer = loadTokenizer(tokenizerFolder(model));
  const options = { addSpecialTokens: false, controlTokens: false };
  return { tokens: texts.map((text) => tokenizer.encode(text, options).length) };
}
