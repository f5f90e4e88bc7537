/** Helper program: compares maths answers `[given, wanted]`. */
import { z } from 'zod';
import { serve } from '../process/helper-serve.ts';

const pair = z.tuple([z.string(), z.string()]);

serve(import.meta.url, { heapMb: 512, stackMb: 8 }, async () => {
  const { sameAnswer } = await import('./answer.ts');
  return (question) => {
    const [given, wanted] = pair.parse(question);
    return sameAnswer(given, wanted);
  };
});
