// Asks llama.cpp, through node-llama-cpp, for the greedy continuation of token ids. Reads a question from stdin, writes the answer
// to stdout, both JSON: { package, model, prompts, texts, count, length } -> { ids, tokens, written }.
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';

const { package: folder, model: modelPath, prompts, texts, count, length } = JSON.parse(await text(process.stdin));
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(join(folder, 'dist', 'index.js')).href);
const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  logLevel: LlamaLogLevel.error,
  logger: (level, message) => console.error(level, message),
});
const model = await llama.loadModel({ modelPath });
// It keeps keys and values in 16 bits otherwise.
const exact = { flashAttention: false, experimentalKvCacheKeyType: 'F32', experimentalKvCacheValueType: 'F32' };
const context = await model.createContext({ contextSize: length, threads: 1, ...exact });
const sequence = context.getSequence();
const ids = [];
for (const prompt of prompts) {
  await sequence.clearHistory();
  const new_ = [];
  for await (const token of sequence.evaluate(prompt, { temperature: 0 })) {
    new_.push(token);
    if (new_.length === count) break;
  }
  ids.push(new_);
}
const tokens = texts.map((each) => model.tokenize(each, true));
const written = ids.map((each) => model.detokenize(each, true));
process.stdout.write(JSON.stringify({ ids, tokens, written }), () => process.exit(0));
