/**
 * The graphs of the main programs, as op counts and names of inputs, parameters and outputs: a change of a graph is seen in
 * review. `COLA_GOLDEN=write npx mocha test/graph/programs.golden.test.ts` writes them anew.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseColaConfig } from '../../server/cola/config.ts';
import { fusedStep } from '../../server/cola/decoder.ts';
import { actionLogProbabilities, clippedLoss, cloneLoss, controlLoss, guideLoss } from '../../server/cola/losses.ts';
import { headOn, worldModelAll } from '../../server/cola/modules.ts';
import { gradient } from '../../server/graph/gradient.ts';
import { Graph, nodeOf, reachable, type Tensor } from '../../server/graph/tensor.ts';
import { hiddenStates, languageHead, nextTokenLoss } from '../../server/model/base.ts';
import { causalContext } from '../../server/model/block.ts';
import { CacheStore } from '../../server/model/cache/store.ts';
import { parseModelConfig } from '../../server/model/config/config.ts';
import { baseStep } from '../../server/model/language-model.ts';
import { type StepGraph, stepOutputs } from '../../server/model/step-graph.ts';

const box = resolve('assets/nano');
const json = (name: string) => JSON.parse(readFileSync(resolve(box, name), 'utf8')) as unknown;
const config = parseModelConfig(json('config.json'), 'config.json');
const cola = parseColaConfig(json('cola.json'), 'cola.json', box);
const golden = new URL('../golden/programs.json', import.meta.url);
const [batch, length] = [2, 256];

type Outputs = Record<string, Tensor>;

/** The loss and its gradient to every parameter it depends on that `trains` names. */
function training(graph: Graph, loss: Tensor, trains: (name: string) => boolean = () => true): Outputs {
  const names = [...graph.parameters.keys()].filter(trains);
  const gradients = gradient(
    loss,
    names.map((name) => graph.parameters.get(name)!),
  );
  return { loss, ...Object.fromEntries(names.map((name, i) => [`gradient.${name}`, gradients[i]])) };
}

const ids = (graph: Graph) => graph.input('ids', 'int32', [batch, length]);
const hidden = (graph: Graph) => graph.input('hidden', 'float32', [batch, length, config.hiddenSize]);
const stepOf = (graph: StepGraph, onHost: boolean) =>
  stepOutputs(new Graph(), config, graph, new CacheStore(config, graph.cachedBlocks, onHost), {
    batch: 1,
    length: 1,
    capacity: 64,
  }).all;

function base(graph: Graph): Outputs {
  const read = ids(graph);
  const { h } = hiddenStates(graph, config, read, causalContext(graph, config, batch, length));
  return training(graph, nextTokenLoss(languageHead(graph, config, h), read));
}

function control(graph: Graph): Outputs {
  const gumbel = graph.input('gumbel', 'float32', [batch, length, cola.numCodes]);
  const context = causalContext(graph, config, batch, length);
  const settings = { tau: 1, beta: 1, balance: 0.1 };
  const { loss } = controlLoss(
    { graph, config, cola },
    { h: hidden(graph), ids: ids(graph), gumbel, context },
    settings,
  );
  return training(graph, loss, (name) => !name.startsWith('model.') && !name.startsWith('lm_head'));
}

function clone(graph: Graph): Outputs {
  const context = causalContext(graph, config, batch, length);
  const logits = headOn(graph, config, cola, 'policy', hidden(graph), context);
  return training(graph, cloneLoss(logits, graph.input('actions', 'int32', [batch, length - 1])));
}

function guide(graph: Graph): Outputs {
  const read = ids(graph);
  const context = causalContext(graph, config, batch, length);
  const { h } = hiddenStates(graph, config, read, context);
  const mask = graph.input('mask', 'float32', [batch, length]);
  const { loss } = guideLoss({ graph, config, cola }, { h, ids: read, responseMask: mask, context }, 'idm');
  return training(graph, loss, (name) => name.startsWith('model.'));
}

function grpo(graph: Graph): Outputs {
  const context = causalContext(graph, config, batch, length);
  const logits = headOn(graph, config, cola, 'policy', hidden(graph), context);
  const row = (name: string) => graph.input(name, 'float32', [batch, length]);
  const logp = actionLogProbabilities(logits, graph.input('choices', 'int32', [batch, length]), 1);
  return training(graph, clippedLoss(logp, row('logp_old'), row('advantages'), row('mask'), 0.2));
}

const programs: Record<string, () => Outputs> = {
  'base, a training step on the CPU': () => base(new Graph()),
  'base, a training step on a card': () => base(new Graph({ strip: Number.POSITIVE_INFINITY })),
  'control, a training step': () => control(new Graph()),
  'clone, a training step': () => clone(new Graph()),
  'guide, a training step': () => guide(new Graph()),
  'GRPO, an update of the policy': () => grpo(new Graph()),
  'base, a token on the CPU': () => stepOf(baseStep(config), true),
  'base, a token on a card': () => stepOf(baseStep(config), false),
  'base, its most likely token': () => stepOf(baseStep(config, 'token'), true),
  'actions, a token on the CPU': () => stepOf(fusedStep(config, cola, {}), true),
  'actions, a token on a card': () => stepOf(fusedStep(config, cola, {}), false),
  'world model, under every code': () => {
    const graph = new Graph();
    return { logits: worldModelAll(graph, config, cola, graph.input('h', 'float32', [1, config.hiddenSize])) };
  },
};

function shapeOf(outputs: Outputs) {
  const all = reachable(Object.values(outputs));
  const ops: Record<string, number> = {};
  for (const tensor of all) {
    const node = nodeOf(tensor);
    if (node !== undefined) ops[node.op] = (ops[node.op] ?? 0) + 1;
  }
  const named = (kind: 'input' | 'parameter') =>
    all.flatMap(({ source, dtype, shape }) =>
      source.kind === kind ? [`${source.name} ${dtype} [${shape.join(',')}]`] : [],
    );
  return {
    ops: Object.fromEntries(Object.entries(ops).sort(([a], [b]) => (a < b ? -1 : 1))),
    inputs: named('input'),
    parameters: named('parameter').length,
    outputs: Object.entries(outputs)
      .filter(([name]) => !name.startsWith('gradient.'))
      .map(([name, { dtype, shape }]) => `${name} ${dtype} [${shape.join(',')}]`),
  };
}

describe('the graph of a program', () => {
  const now = Object.fromEntries(Object.entries(programs).map(([name, build]) => [name, shapeOf(build())]));
  before(() => {
    if (process.env.COLA_GOLDEN === 'write') writeFileSync(golden, `${JSON.stringify(now, null, 1)}\n`);
  });

  for (const [name, shape] of Object.entries(now)) {
    it(`is as it was: ${name}`, () => {
      const before = JSON.parse(readFileSync(golden, 'utf8')) as typeof now;
      assert.deepEqual(shape, before[name]);
    });
  }
});
