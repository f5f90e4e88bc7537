/** Helper program: parses, type-checks and tests a candidate. */
import { type CodeAnswer, codeQuestion } from './code-message.ts';
import { serve } from './helper-serve.ts';

serve(import.meta.url, { heapMb: 1024, stackMb: 32 }, async () => {
  const { candidateScript, testScript, typeChecks } = await import('./code-source.ts');
  const { runInSandbox } = await import('./sandbox.ts');
  return async (question): Promise<CodeAnswer> => {
    const { code, tests, types, timeMs, memoryMb } = codeQuestion.parse(question);
    const script = tests === undefined ? undefined : testScript(tests);
    if (tests !== undefined && script === undefined) return { unusable: 'the tests do not parse' };
    if (script?.total === 0) return { unusable: 'the tests call no assertion at their top level' };
    const total = script?.total ?? 0;
    const candidate = candidateScript(code);
    if (!candidate.parses) return { parses: false, types: false, passed: 0, total, late: false };
    const checked = types && typeChecks(code);
    const ran = script && (await runInSandbox(candidate.script, script.script, { timeMs, memoryMb }));
    return { parses: true, types: checked, passed: ran?.passed ?? 0, total, late: ran?.late ?? false };
  };
});
