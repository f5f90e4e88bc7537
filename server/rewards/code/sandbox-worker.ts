/** Helper program: parses, type-checks and tests a candidate. */

import { serve } from '../process/helper-serve.ts';
import { type CodeAnswer, codeQuestion } from './message.ts';

serve(import.meta.url, { heapMb: 1024, stackMb: 32 }, async () => {
  const { candidateScript, parsedShare, testScript, typeChecks } = await import('./source.ts');
  const { runInSandbox } = await import('./sandbox.ts');
  return async (question): Promise<CodeAnswer> => {
    const { code: written, before, tests, types, timeMs, memoryMb } = codeQuestion.parse(question);
    const script = tests === undefined ? undefined : testScript(tests);
    if (tests !== undefined && script === undefined) return { unusable: 'the tests do not parse' };
    if (script?.total === 0) return { unusable: 'the tests call no assertion at their top level' };
    const total = script?.total ?? 0;
    const code = (before ?? '') + written;
    const candidate = candidateScript(code);
    const parses = before === undefined ? Number(candidate.parses) : parsedShare(before, written);
    if (!candidate.parses) return { parses, types: false, passed: 0, total, late: false };
    const checked = types && typeChecks(code, before?.length);
    const ran = script && (await runInSandbox(candidate.script, script.script, { timeMs, memoryMb }));
    return { parses, types: checked, passed: ran?.passed ?? 0, total, late: ran?.late ?? false };
  };
});
