/** What actions write, where a list of them stands beside no text. */
import { actionProfiles, type ModelInfo } from '../../server/protocol/index.ts';
import type { Studio } from '../studio.ts';
import { oneLine } from './words.ts';

/** So many texts of an action, each so long. */
const most = { texts: 3, length: 16 };

/** By code: the texts that tell it from the others best, `"const" "let" "var"`; codes without any are left out. */
export async function typicalTexts(studio: Studio, { folder }: ModelInfo): Promise<ReadonlyMap<number, string>> {
  const { file } = await studio.request(actionProfiles, { model: folder });
  const texts = new Map<number, string>();
  for (const { code, tokens } of file?.actions ?? []) {
    const shown = [...new Set(tokens.map(({ text }) => oneLine(text, most.length)))].filter((text) => text !== '');
    if (shown.length > 0)
      texts.set(
        code,
        shown
          .slice(0, most.texts)
          .map((text) => `"${text}"`)
          .join(' '),
      );
  }
  return texts;
}
