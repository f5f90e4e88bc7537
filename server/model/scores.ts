/**
 * Models that give a whole text a score: a linear head of one output, without a bias, on h of its last token. The folder is that
 * of `…ForSequenceClassification` in transformers with one label: the last token is the last one that is not `pad_token_id`,
 * wherever else that token stands.
 */
import { linear } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import type { Graph, Tensor } from '../graph/tensor.ts';
import { hiddenStates } from './base.ts';
import { causalContext, rowsOf } from './block.ts';
import { architectureOf, type ModelConfig } from './config/config.ts';
import { families } from './families/index.ts';
import { parseModelJson } from './json.ts';
import type { LanguageModel, SavedForm, WeightMap } from './language-model.ts';
import { expectedTensors, scoreHead } from './weights/weights.ts';

/**
 * Scores `[B]` of the texts in `ids` int32 `[B,T]`, each read up to its place.
 *
 * @param places int32 `[B]`: the token that is scored in each row, counted through all rows: row b's token t is b T + t
 */
export function scores(graph: Graph, config: ModelConfig, ids: Tensor, places: Tensor): Tensor {
  const [batch, length] = ids.shape;
  const { h } = hiddenStates(graph, config, ids, causalContext(graph, config, batch, length));
  const head = scoreHead(config);
  return ops.reshape(linear(rowsOf(h, places), graph.parameter(head.name, head.shape)), [batch]);
}

/** The token that is scored: the last one that is not padding; the first where all are. @param padId null: the last of all */
export function scoredPlace(ids: ArrayLike<number>, padId: number | null): number {
  let last = ids.length - 1;
  while (last > 0 && ids[last] === padId) last--;
  return Math.max(0, last);
}

/** What fills rows up: what the configuration says, or else the end of a text, as TRL does. */
export const paddingOf = ({ config, endIds }: Pick<LanguageModel, 'config' | 'endIds'>): number =>
  config.padTokenId ?? [...endIds][0] ?? 0;

/** Writes the folder of a model that scores, from its base. @param weights those of the base, and the head */
export function saveScores(base: LanguageModel, weights: WeightMap, folder: string): Promise<void> {
  const { config } = base;
  const blocks = expectedTensors({ ...config, tieWordEmbeddings: true });
  const form: SavedForm = {
    tensors: [...blocks, scoreHead(config)],
    config(text) {
      const json = parseModelJson(text, 'config.json') as Record<string, unknown>;
      const family = families.find(({ type }) => type === config.family);
      if (family === undefined) throw new Error(`no family ${config.family}`);
      const { num_labels: _, ...rest } = json;
      const labels = { id2label: { 0: 'score' }, label2id: { score: 0 } };
      const own = { architectures: [architectureOf(family, 'scores')], ...labels, pad_token_id: paddingOf(base) };
      return `${JSON.stringify({ ...rest, model_type: family.type, ...own }, null, 2)}\n`;
    },
  };
  return base.save(folder, weights, 'F32', form);
}
