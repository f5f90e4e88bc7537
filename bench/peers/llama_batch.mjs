// llama.cpp, through node-llama-cpp, writing many answers one at a time and together, each in a sequence of one context. Started
// with one argument, JSON: { package, model, sizes: [{ words, parallel, answers }], prompt, tokens, threads }. Says { ready: 1 }, and
// for each line that comes in the tokens a second of every size, under its words.
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const { package: folder, model: modelPath, sizes, prompt, tokens, threads } = JSON.parse(process.argv[2]);
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(join(folder, 'dist', 'index.js')).href);
const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  logLevel: LlamaLogLevel.error,
  maxThreads: threads,
  logger: (level, message) => console.error(level, message),
});
const model = await llama.loadModel({ modelPath });
const open = async (sequences) => {
  const context = await model.createContext({ sequences, contextSize: prompt + tokens + 8, threads });
  return Array.from({ length: sequences }, () => context.getSequence());
};
const opened = [];
for (const size of sizes) opened.push({ ...size, sequences: await open(size.parallel) });
// Any tokens that are none of the last ones, which are the special ones here.
const promptOf = (answer) => Array.from({ length: prompt }, (_, i) => 100 + ((answer * 7919 + i * 104_729) % 1000));

async function write(sequences, answers) {
  let next = 0;
  const started = performance.now();
  await Promise.all(
    sequences.map(async (sequence) => {
      while (next < answers) {
        const ids = promptOf(next++);
        await sequence.clearHistory();
        let written = 0;
        for await (const _ of sequence.evaluate(ids, { temperature: 0, yieldEogToken: true }))
          if (++written === tokens) break;
        if (written < tokens) throw new Error(`an answer has ${written} tokens`);
      }
    }),
  );
  return (1000 * answers * tokens) / (performance.now() - started);
}

console.log(JSON.stringify({ ready: 1 }));
for await (const _ of createInterface({ input: process.stdin })) {
  const speeds = {};
  for (const { words, answers, sequences } of opened) speeds[words] = await write(sequences, answers);
  console.log(JSON.stringify(speeds));
}
