import assert from 'node:assert/strict';
import { codeOptions, codeReward } from '../../server/rewards/code/code.ts';
import { fencedCode } from '../../server/rewards/code/fence.ts';
import { parsedShare } from '../../server/rewards/code/source.ts';
import type { Reward, RewardResult } from '../../server/rewards/reward.ts';

const input = (completion: string, tests?: string) => ({
  prompt: '',
  completion,
  row: tests === undefined ? {} : { tests },
  finished: true,
  tokens: 1,
});

function part(result: RewardResult, name: string): number | undefined {
  assert.ok(!('noScore' in result), JSON.stringify(result));
  return result.parts[name];
}

describe('the code in a completion', () => {
  it('is the last closed block of a fitting language, or everything', () => {
    assert.equal(fencedCode('let a = 1'), 'let a = 1');
    assert.equal(fencedCode('Say:\n```ts\nlet a = 1\n```\nthen\n```js\nlet b\n```\nDone.'), 'let b');
    assert.equal(fencedCode('```ts\nlet a\n```\n```text\nout\n```'), 'let a');
    assert.equal(fencedCode('```ts\nlet a\n```\n```ts\nlet cut'), 'let a');
    assert.equal(fencedCode('```ts\nlet cut'), 'let cut');
    assert.equal(fencedCode('```python\nx\n```'), '');
    assert.equal(fencedCode('````ts\n```\n````'), '```');
  });
});

describe('code that goes on', () => {
  it('may end unfinished', () => {
    for (const code of ['', 'a + 1;', 'a + ', 'items.map((x) => {\n  return x', '[1, 2, `text', '{ a: 1,\n']) {
      assert.equal(parsedShare('const x = ', code), 1, code);
    }
  });

  it('counts up to its first mistake', () => {
    assert.equal(parsedShare('const x = ', 'a ) b'), 0.4);
    assert.equal(parsedShare('const x = ', ') b'), 0);
    assert.equal(parsedShare('f(', '1, 2); ]]'), 7 / 9);
  });

  it('is not blamed for mistakes before it', () => {
    assert.equal(parsedShare('} else {\n  ', 'a();\n}'), 1);
    assert.equal(parsedShare(') (\n', 'a ) b'), 0.8);
  });

  it('is judged with the prompt by the reward, with 0 or 1 where all tests have to be passed', async () => {
    // With tests, of which all have to be passed.
    const all = { read: 'continued', parse: 1, tests: 'all', processes: 1 };
    const reward = codeReward(codeOptions.parse(all));
    const judged = async (completion: string, tests: string) => {
      const result = await reward.score({ ...input(completion, tests), prompt: 'var x = ' });
      return [part(result, 'parse'), part(result, 'test')];
    };
    try {
      assert.deepEqual(await judged('1', 'equal(x, 1); equal(x, 2);'), [1, 0]);
      assert.deepEqual(await judged('1', 'equal(x, 1); notEqual(x, 2);'), [1, 1]);
      assert.deepEqual(await judged('[1, 2', 'equal(x, 1);'), [1, 0]);
      assert.deepEqual(await judged('a ) b', 'equal(x, 1);'), [0.4, 0]);
    } finally {
      await reward.close();
    }
  });
});

describe('the code reward', () => {
  let reward: Reward;
  const timeLimitMs = 400;
  before(() => {
    reward = codeReward(codeOptions.parse({ parse: 0.1, test: 1, timeLimitMs, memoryMb: 32, processes: 1 }));
  });
  after(() => reward.close());

  const test = async (completion: string, tests: string) => part(await reward.score(input(completion, tests)), 'test');

  it('gives the share of tests passed', async () => {
    const tests = `equal(add(1, 2), 3);\nequal(add(2, 2), 4);\nequal(add(-1, 1), 0);\nassert(add(0, 5) === 5);`;
    assert.equal(await test('function add(a: number, b: number): number { return a + b; }', tests), 1);
    assert.equal(await test('export const add = (a, b) => a * b;', tests), 0.25);
    assert.equal(await test('function add() { throw new Error(); }', tests), 0);
    assert.equal(await test('const unrelated = 1;', tests), 0);
    const result = await reward.score(input('function add(a, b) { return a + b }', tests));
    assert.deepEqual(result, { value: 1.1, parts: { parse: 1, test: 1 } });
    assert.deepEqual(await reward.score(input('function add(a, {', tests)), { value: 0, parts: { parse: 0, test: 0 } });
  });

  it('understands every form of export, classes, async code, timers and typed tests', async () => {
    assert.equal(await test('export default function f() { return 1 }', 'equal(f(), 1)'), 1);
    assert.equal(await test('export default () => 1', 'equal(_default(), 1)'), 1);
    assert.equal(await test('export default function () { return 1 }', 'equal(_default(), 1)'), 1);
    assert.equal(await test('const f = () => 1; export { f };', 'equal(f(), 1)'), 1);
    assert.equal(
      await test(
        'export class Stack<T> { #a: T[] = []; push(x: T) { this.#a.push(x); return this.#a.length } }',
        'const s: Stack<number> = new Stack(); equal(s.push(1), 1); equal(s.push(1), 2);',
      ),
      1,
    );
    assert.equal(
      await test(
        'export async function later(x) { await new Promise((r) => setTimeout(r, 1e6)); return x }',
        'equal(await later(3), 3); await rejects(async () => { throw 1 }); equal((await Promise.all([later(1), later(2)])), [1, 2]);',
      ),
      1,
    );
    assert.equal(await test('function sum(n) { return n === 0 ? 0 : n + sum(n - 1) }', 'equal(sum(3000), 4501500)'), 1);
    assert.equal(
      await test(
        'class Stack extends Array { push(x) { return super.push(x * 2) } }; const e = new Error(); e.name = "X"; Array.prototype.last = function () { return this[this.length - 1] }',
        'const s = new Stack(); s.push(1); equal(s[0], 2); equal([1, 2].last(), 2)',
      ),
      1,
    );
  });

  it('compares structures', async () => {
    const tests = [
      'equal(v.list, [1, [2, { a: 3 }]]);',
      'equal(v.map, new Map([["a", [1]]]));',
      'equal(v.set, new Set([1, 2]));',
      'equal(v.nan, NaN);',
      'equal(v.date, new Date(5));',
      'notEqual(v.list, [1, [2, { a: 4 }]]);',
      'notEqual(v.list, [1, [2, { a: 3, b: undefined }]]);',
      'notEqual(v.map, new Map([["a", [2]]]));',
      'notEqual(v.set, new Set([1, 3]));',
      'notEqual(v.list, { 0: 1, 1: [2, { a: 3 }] });',
      'notEqual(1, "1");',
      'notEqual(/a/, /b/);',
      'near(0.1 + 0.2, 0.3);',
      'throws(() => { throw 1 });',
    ];
    const code =
      'const v = { list: [1, [2, { a: 3 }]], map: new Map([["a", [1]]]), set: new Set([2, 1]), nan: NaN, date: new Date(5) }';
    assert.equal(await test(code, tests.join('\n')), 1);
    const failing = [
      'near(1, 2);',
      'throws(() => 1);',
      'equal(v.nan, 1);',
      'await rejects(async () => 1);',
      'assert(0)',
    ];
    assert.equal(await test(code, failing.join('\n')), 0);
  });

  it('has no score without usable tests', async () => {
    assert.deepEqual(await reward.score(input('let a')), { noScore: 'the row has no column "tests"' });
    assert.ok('noScore' in (await reward.score(input('let a', 'equal(1,'))));
    assert.ok('noScore' in (await reward.score(input('let a', 'const b = 1;'))));
  });

  const tests = 'equal(f(2), 4); equal(f(3), 9); assert(f(4) === 16); assert([f(5)].every((x) => x === 25));';
  const hostile: Readonly<Record<string, string>> = {
    'an endless loop': 'for (;;) {}',
    'an endless loop in the function': 'function f() { for (;;) {} }',
    'endless promise jobs': 'function spin() { return Promise.resolve().then(spin) } spin();',
    'endless timers': 'function spin() { setTimeout(spin, 0) } spin();',
    'endless growth': 'const a = []; for (;;) a.push(new Array(1e5).fill(1));',
    'growth that is caught': 'const a = []; for (;;) try { a.push("x".repeat(1e7) + a.length) } catch {}',
    'a doubling text': 'let s = "x"; for (;;) s += s;',
    'deep recursion': 'function f(x) { return f(x) + 1 }',
    'deep recursion that is caught': 'function f(x) { try { return f(x) } catch { return f(x) } }',
    'deep recursion in the parser': `eval("(".repeat(1e6) + "1" + ")".repeat(1e6))`,
    'deeply nested source': `${'('.repeat(50_000)}1${')'.repeat(50_000)}`,
    'deeply nested data': 'let a = []; for (let i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a);',
    'a backtracking pattern': '/^(a+)+$/.test("a".repeat(40) + "b")',
    'a flood of output': 'for (;;) console.log("x".repeat(1e5));',
    'a huge power': '2n ** (2n ** 40n)',
    'an exit': 'process.exit(0)',
    'a require': 'require("node:fs").rmSync("/")',
    'an import': 'import fs from "node:fs"; export const f = (x) => x * x;',
    'a dynamic import': 'import("node:fs").then((fs) => fs.rmSync("/"))',
    'a way out through constructors': 'this.constructor.constructor("return process")().exit()',
    'its own helpers':
      'function assert() {} function equal() {} var pass__ = 1, begin__ = 1; globalThis.equal = () => {};',
    'getters on the prototype of all':
      'Object.defineProperty(Object.prototype, "value", { get() { return 4 } }); Object.prototype.toJSON = () => 1; Object.prototype.then = (r) => r();',
    'comparison by its own rules':
      'Object.is = () => true; Reflect.ownKeys = () => []; Array.isArray = () => false; Reflect.apply = () => true; function f() { return {} }',
    'array methods that skip':
      'Array.prototype.every = () => true; Array.prototype.forEach = () => {}; Array.prototype[Symbol.iterator] = function* () {};',
    'promises that always hold':
      'Promise.prototype.then = (r) => r(); Object.defineProperty(Promise.prototype, "constructor", { value: 1 });',
    'an object that pretends':
      'function f() { return new Proxy({}, { get: () => 4, has: () => true, ownKeys: () => [], getPrototypeOf: () => Number.prototype }) }',
    'a value that pretends':
      'function f() { return { valueOf: () => 4, toString: () => "4", [Symbol.toPrimitive]: () => 4 } }',
    'a throw': 'throw new Error("no")',
    'a thrown trap': 'throw { get message() { for (;;) {} }, toString() { for (;;) {} } }',
    'setters on indices': 'Object.defineProperty(Array.prototype, 0, { set() {}, get() { return 25 } });',
    callers: 'function f() { return f.caller || arguments.callee.caller }',
    'an early end of the tests': 'function f() { throw { toString() { return pass__(0) } } }',
  };

  // Each of these costs its helper the whole limit and a new start, as what loops inside a built-in function does in the short form;
  // what grows without end is a text there.
  const forSlow = [
    ...['endless growth', 'growth that is caught', 'deeply nested data', 'deep recursion that is caught'],
    ...['a flood of output'],
  ];
  assert.ok(forSlow.every((name) => name in hostile));
  for (const [name, code] of Object.entries(hostile)) {
    if (process.env.COLA_SLOW === undefined && forSlow.includes(name)) continue;
    it(`contains ${name}`, async () => {
      const started = performance.now();
      // A wrong function, so that only a successful trick could pass a test.
      const wrong = code.includes('function f') || code.includes('const f') ? '' : 'function f() { return 0 }\n';
      assert.equal(await test(wrong + code, tests), 0);
      assert.ok(performance.now() - started < timeLimitMs + 4000);
      // The next candidate finds everything in order.
      assert.equal(await test('function f(x) { return x * x }', tests), 1);
    });
  }

  it('kills what loops inside a built-in function, and goes on', async () => {
    const result = await reward.score(input('Array.prototype.sort.call({ length: 2 ** 53 - 1 })', tests));
    assert.equal(part(result, 'killed'), 1);
    assert.equal(await test('function f(x) { return x * x }', tests), 1);
  });

  it('marks what the clock stopped, and keeps tests passed before', async () => {
    const result = await reward.score(input('function f(x) { if (x === 3) for (;;) {} return x * x }', tests));
    assert.deepEqual(result, { value: 0.35, parts: { parse: 1, test: 0.25, late: 1 } });
  });

  it('gives nothing for a promise that never settles, nor for what follows it', async () => {
    const code = 'function f() { return new Promise(() => {}) }';
    assert.equal(await test(code, 'equal(1, 1); equal(await f(), 1); equal(2, 2);'), 1 / 3);
  });

  it('gives nothing for a test in which no assertion ran', async () => {
    assert.equal(await test('function each() {}', 'each([1], (x) => equal(x, 2));'), 0);
    assert.equal(await test('Promise.prototype.then = (r) => r()', 'await rejects(Promise.resolve(1));'), 0);
  });

  it('leaves the engine free to do other things meanwhile', async () => {
    let ticks = 0;
    const timer = setInterval(() => {
      ticks += 1;
    }, 10);
    try {
      await reward.score(input('for (;;) {}', tests));
    } finally {
      clearInterval(timer);
    }
    assert.ok(ticks > 15, `${ticks} ticks`);
  });

  it('stops at once when aborted, and can be used again', async () => {
    const controller = new AbortController();
    const pending = reward.score(input('Array.prototype.sort.call({ length: 2 ** 53 - 1 })', tests), controller.signal);
    const queued = reward.score(input('function f(x) { return x * x }', tests));
    setTimeout(() => controller.abort(new Error('stopped')), 100);
    await assert.rejects(pending, /stopped/);
    assert.equal(part(await queued, 'test'), 1);
  });
});

describe('the types of code', () => {
  // One process for all: it reads the library of types once.
  let typed: Reward;
  before(() => {
    typed = codeReward(codeOptions.parse({ types: 1, test: 0, processes: 1 }));
  });
  after(() => typed.close());
  const types = async (code: string) => part(await typed.score(input(code)), 'types');

  it('give nothing where the checker was kept from checking', async () => {
    for (const code of [
      '// @ts-nocheck\nconst a: number = "x";',
      '/* @ts-nocheck */ const a: number = "x";',
      '// @ts-ignore\nconst a: number = "x";',
      '// @ts-expect-error it is wrong\nconst a: number = "x";',
      '/// @ts-ignore\nconst a: number = "x";',
      'const a: any = "x"; const b: number = a;',
      'const a = "x" as any;',
      'const a = "x" as unknown as number;',
      'const a = <number>(<unknown>"x");',
      'const a = ("x" as unknown) as number;',
      'const a: number = "x" as never;',
      'function f(...all: any[]): number { return all.length }',
      'declare const nowhere: number; export const a = nowhere + 1;',
      'declare function made(): string; made();',
    ])
      assert.equal(await types(code), 0, code);
    for (const code of [
      'const many = ["a", "b"] as const; export const first: "a" = many[0];',
      'export const company: string = "many @ts-ignore"; // any comment',
      'function f(x: unknown): number { return typeof x === "number" ? x : 0 }\nf(1 as number);',
    ])
      assert.equal(await types(code), 1, code);
  });

  it('are checked when weighted', async () => {
    assert.equal(
      await types('export const a: number = [1, 2].at(-1) ?? 0; console.log(a); setTimeout(() => {}, 1);'),
      1,
    );
    assert.equal(await types('const a: number = "x";'), 0);
    assert.equal(await types('function f(x) { return x }'), 0);
    assert.equal(await types('document.title'), 0);
    assert.equal(await types('import fs from "node:fs"; fs.rmSync("x")'), 0);
    assert.equal(
      await types(
        'type Loop<T> = T extends [infer A, ...infer B] ? Loop<[...B, A, A]> : never; type X = Loop<[1]>; const x: X = 1;',
      ),
      0,
    );
  });
});
