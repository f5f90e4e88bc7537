/** Checks decoding: sampled, greedy and forced actions, chosen on the host and inside the fused step. */
import { Decoder, forced } from '../cola/decoder.ts';
import { argmaxOf, inverseCdf, probabilities } from '../model/sampling.ts';
import type { ColaChecker } from './cola-checker.ts';

class DecodeCheck {
  constructor(private readonly check: ColaChecker) {}

  async run(): Promise<void> {
    const { model, reference, hyper } = this.check;
    const n = model.config.numCodes;
    const decoder = new Decoder(this.check.device, model, { parts: { preview: true } });
    const [count, length] = reference.shape('in.gen.prompts');
    const ids = reference.ints('in.gen.prompts');
    const prompts = Array.from({ length: count }, (_, i) => ids.subarray(i * length, (i + 1) * length));
    const uniforms = reference.floats('in.gen.uniforms');
    const steps = hyper.generation.max_new;
    const draw = (logits: Float32Array, row: number, t: number) =>
      inverseCdf(probabilities(logits, row * n, n, hyper.generation.temperature), uniforms[row * steps + t]);
    const most = (logits: Float32Array, row: number) => argmaxOf(logits, row * n, n);
    await this.decoded(decoder, 'gen.sampled', prompts, draw);
    await this.decoded(decoder, 'gen.greedy', prompts, most);
    const repeated = prompts
      .slice(0, reference.shape('gen.forced.actions')[0])
      .flatMap((prompt) => Array<Int32Array>(n).fill(prompt));
    await this.decoded(decoder, 'gen.forced', repeated, (logits, row, t) => (t === 0 ? row % n : most(logits, row)));
    await this.fused(decoder, prompts, most);
    await decoder.dispose();
  }

  private async decoded(
    decoder: Decoder,
    name: string,
    prompts: readonly Int32Array[],
    choose: (logits: Float32Array, row: number, t: number) => number,
  ): Promise<void> {
    const n = this.check.model.config.numCodes;
    const steps = this.check.hyper.generation.max_new;
    const actions = new Int32Array(prompts.length * steps).fill(-1);
    const tokens = new Int32Array(prompts.length * steps).fill(-1);
    const ended = prompts.map(() => false);
    const cache = await decoder.cache(prompts.length, prompts[0].length + steps);
    let next: ArrayLike<number>[] = [...prompts];
    for (let t = 0; t < steps; t++) {
      const result = await decoder.step(cache, next);
      next = prompts.map((_, row) => {
        if (ended[row] || result.nextTokens === undefined) return [0];
        const action = choose(result.policyLogits, row, t);
        const token = result.nextTokens[row * n + action];
        actions[row * steps + t] = action;
        tokens[row * steps + t] = token;
        ended[row] = this.check.model.base.endIds.has(token);
        return [token];
      });
    }
    cache.dispose();
    this.check.against('decode', `${name}.actions`, actions);
    this.check.against('decode', `${name}.tokens`, tokens);
  }

  /** The fused choice inside the graph gives what the choice on the host gives: greedy, and with each code forced. */
  private async fused(
    decoder: Decoder,
    prompts: readonly Int32Array[],
    most: (logits: Float32Array, row: number) => number,
  ): Promise<void> {
    const n = this.check.model.config.numCodes;
    const cache = await decoder.cache(prompts.length, prompts[0].length + 1);
    for (let code = -1; code < n; code++) {
      const bias = new Float32Array(prompts.length * n);
      if (code >= 0) for (let row = 0; row < prompts.length; row++) bias[row * n + code] = forced;
      cache.lengths.fill(0);
      const result = await decoder.step(cache, prompts, bias);
      const expected = prompts.map((_, row) => (code < 0 ? most(result.policyLogits, row) : code));
      this.check.comparer.compare('decode', 'fused actions', result.action, expected, 'exact', 0);
      const tokens = expected.map((action, row) => result.nextTokens?.[row * n + action] ?? -1);
      this.check.comparer.compare('decode', 'fused tokens', result.token, tokens, 'exact', 0);
    }
    cache.dispose();
  }
}

export function checkDecoding(check: ColaChecker): Promise<void> {
  return new DecodeCheck(check).run();
}
