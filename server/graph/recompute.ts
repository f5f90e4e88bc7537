/**
 * Gradient checkpointing: a part of a graph whose inner tensors are not kept for the backward pass, which computes them again
 * (arXiv 1604.06174). The second time is the same computation in the same order, so the gradients are the same.
 */
import { pullback } from './gradient.ts';
import * as ops from './ops.ts';
import { nodeOf, type Tensor } from './tensor.ts';

/**
 * @param build the part, from the one tensor that it reads beside parameters and what needs no gradient
 * @returns what `build` makes of x
 */
export function recomputed(x: Tensor, build: (x: Tensor) => Tensor): Tensor {
  const output = build(x);
  const parameters = parametersBehind(output, x);
  return x.graph.withGradient(output, {
    inputs: [x, ...parameters],
    rule: (dy) => {
      const again = behind(x, dy);
      return pullback(build(again), dy, [again, ...parameters]);
    },
  });
}

/**
 * x once more, but not before dy is there: otherwise the runtime would see that the second time is the first, or compute it at
 * once. Either way the value is x, bit for bit.
 */
function behind(x: Tensor, dy: Tensor): Tensor {
  let first = dy;
  for (let axis = 0; axis < dy.shape.length; axis++) first = ops.slice(first, axis, 0, 1);
  return ops.where(ops.greater(first, 0), x, x);
}

/** Parameters that a tensor is computed from without passing x. */
function parametersBehind(output: Tensor, x: Tensor): Tensor[] {
  const seen = new Set<Tensor>([x]);
  const stack = [output];
  const found: Tensor[] = [];
  for (let tensor = stack.pop(); tensor !== undefined; tensor = stack.pop()) {
    if (seen.has(tensor)) continue;
    seen.add(tensor);
    if (tensor.source.kind === 'parameter') found.push(tensor);
    stack.push(...(nodeOf(tensor)?.inputs ?? []));
  }
  return found;
}
