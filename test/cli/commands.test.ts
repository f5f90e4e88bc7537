import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Reference } from '../../server/check/reference.ts';
import { Progress } from '../../server/cli/progress.ts';
import { Device } from '../../server/device/device.ts';
import { scoreFile } from '../../server/evaluate/score.ts';
import { LanguageModel } from '../../server/model/language-model.ts';
import { scratchFolder } from '../store/scratch.ts';
import { program } from '../support/bundled.ts';
import { cola } from './cola.ts';

const ROOT = join(import.meta.dirname, '../..');
const FIXTURES = join(ROOT, 'test/fixtures');
const HF = ['llama-gqa', 'llama-tied-bf16', 'qwen2', 'qwen3'].map((name) => join(FIXTURES, 'hf', name));
const COLA = ['n8-plain', 'n8-residual'].map((name) => join(FIXTURES, 'cola', name));
const CPU = ['--device', 'cpu'];
const COMMANDS = [
  'devices',
  'models',
  'check',
  'generate',
  'score',
  'fit',
  'train',
  'pretrain',
  'actions',
  'export',
  'report',
  'start',
];

describe('cola', () => {
  const scratch = scratchFolder();

  it('says its version and those of what it runs on', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    for (const option of ['--version', '-V']) {
      const { code, stdout } = await cola([option]);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^CoLA Studio ${version}\nONNX Runtime \\d+\\.[^]*\nNode ${process.version}\n`));
    }
  });

  it('says what it can do, and what exit codes mean', async () => {
    for (const args of [[], ['--help']]) {
      const { code, stdout } = await cola(args);
      assert.equal(code, 0);
      for (const command of COMMANDS) assert.match(stdout, new RegExp(`^  ${command}`, 'm'));
      assert.match(stdout, /Exit codes: 0 good, 1 .* 2 .* 70 .* 130/);
    }
  });

  for (const command of COMMANDS) {
    it(`${command} --help has examples`, async () => {
      const { code, stdout, stderr } = await cola([command, '--help']);
      assert.equal(code, 0);
      assert.equal(stderr, '');
      assert.match(stdout, new RegExp(`Usage: cola ${command}`));
      assert.match(stdout, new RegExp(`Examples:\\n  \\$ cola ${command}`));
      assert.match(stdout, /--json/);
    });
  }

  it('has the help of a command under help too, and says which commands a group has', async () => {
    const { code, stdout } = await cola(['help', 'fit']);
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: cola fit/);
    assert.match((await cola(['help'])).stdout, /^Usage: cola \[options\] \[command\]/);
    const group = await cola(['feedback']);
    assert.equal(group.code, 2);
    assert.match(group.stderr, /^It needs one of its commands: .*tune.*simulate/m);
  });

  it('devices finds the CPU', async () => {
    const { code, stdout } = await cola(['devices', '--json']);
    assert.equal(code, 0);
    const { devices, auto } = JSON.parse(stdout);
    assert.equal(devices.at(-1).name, 'cpu');
    assert.equal(devices.at(-1).works, true);
    assert.equal(auto, devices.find(({ works }: { works: boolean }) => works).name);
    for (const { works, reason } of devices) assert.equal(works, reason === undefined);
    assert.match((await cola(['devices'])).stdout, /^cpu +works/m);
  });

  it('check finds fixtures as they should be', async () => {
    // `test/check/check.test.ts` tries each of them.
    const folders = process.env.COLA_SLOW === '1' ? [...HF, ...COLA] : [HF[0]!];
    const { code, stdout, stderr } = await cola(['check', ...folders, ...CPU]);
    assert.equal(code, 0, stdout);
    assert.equal(stderr, 'Device: cpu\n');
    assert.match(stdout, /^ {2}gradients attention +\d+ +\d\.\d+e-\d+ +\d\.\d+e-\d+ {2}ok$/m);
    assert.match(stdout, /All values are within their tolerances/);
    assert(!stdout.includes('FAIL'));
  });

  it('check fails where a weight is off, names it, and ends with 1', async () => {
    cpSync(HF[0]!, scratch('model'), { recursive: true });
    const file = scratch('model', 'model.safetensors');
    const bytes = readFileSync(file);
    bytes.writeFloatLE(bytes.readFloatLE(bytes.length - 4) + 0.5, bytes.length - 4);
    writeFileSync(file, bytes);
    const { code, stdout } = await cola(['check', HF[1]!, scratch('model'), ...CPU]);
    assert.equal(code, 1);
    assert.match(stdout, /logits .* FAIL logits$/m);
    assert.match(stdout, /Some values differ/);
    const json = await cola(['check', HF[1]!, scratch('model'), ...CPU, '--json']);
    assert.equal(json.code, 1);
    const { ok, folders } = JSON.parse(json.stdout);
    assert.deepEqual([ok, folders[0].ok, folders[1].ok], [false, true, false]);
  });

  for (const folder of HF) {
    it(`generate continues ids as the reference does: ${folder.slice(FIXTURES.length)}`, async () => {
      using reference = Reference.open(folder);
      const size = reference.json.greedy!.prompt_length!;
      const ids = reference.ints('input_ids').subarray(0, size);
      const args = ['generate', '--model', folder, '--ids', ids.join(), '--max-new', '16', ...CPU];
      const { code, stdout } = await cola([...args, '--json']);
      assert.equal(code, 0);
      const { samples, prompt } = JSON.parse(stdout);
      assert.deepEqual(prompt, [...ids]);
      assert.deepEqual(samples[0].ids, [...reference.ints('greedy').subarray(0, 16)]);
      // Without --json it is the same text, written as it comes.
      assert.equal((await cola(args)).stdout, `${samples[0].text}\n`);
    });
  }

  it('generate takes a prompt, a file or ids, and samples by seed', async () => {
    writeFileSync(scratch('p.txt'), 'Hello');
    const sampled = ['--temperature', '1', '--top-k', '50', '--top-p', '0.9', '--max-new', '6', '--json', ...CPU];
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await cola(['generate', '--model', HF[0]!, ...args, ...sampled], {
        cwd: scratch(),
      });
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout);
    };
    const text = await run('--prompt', 'Hello', '--samples', '3');
    assert.equal(text.samples.length, 3);
    assert.notDeepEqual(text.samples[0].ids, text.samples[1].ids);
    assert.deepEqual((await run('--prompt-file', 'p.txt')).samples[0], text.samples[0]);
    // As a shell hands over what another program says: `<(printf Hello)`.
    if (process.platform !== 'win32') {
      assert.equal(spawnSync('mkfifo', [scratch('pipe')]).status, 0);
      const writer = spawn('sh', ['-c', 'printf Hello > pipe'], { cwd: scratch() });
      assert.deepEqual((await run('--prompt-file', 'pipe')).samples[0], text.samples[0]);
      assert.equal(writer.exitCode ?? (await once(writer, 'exit'))[0], 0);
    }
    assert.deepEqual((await run('--ids', text.prompt.join(', '))).samples[0], text.samples[0]);
    assert.notDeepEqual((await run('--prompt', 'Hello', '--seed', '8')).samples[0].ids, text.samples[0].ids);
    const plain = await cola([
      'generate',
      '--model',
      HF[0]!,
      '--prompt',
      'Hello',
      '--samples',
      '2',
      '--max-new',
      '2',
      ...CPU,
    ]);
    assert.match(plain.stdout, /^--- 1 of 2\n[\s\S]*--- 2 of 2\n/);
  });

  it('generate answers a message through the chat template', async () => {
    cpSync(HF[1]!, scratch('model'), { recursive: true });
    const template =
      '{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}';
    writeFileSync(scratch('model', 'chat_template.jinja'), template);
    const { code, stdout } = await cola([
      'generate',
      '--model',
      scratch('model'),
      '--chat',
      'hi',
      '--max-new',
      '1',
      '--json',
      ...CPU,
    ]);
    assert.equal(code, 0);
    const { tokenizer } = await LanguageModel.load(scratch('model'));
    assert.deepEqual(JSON.parse(stdout).prompt, [
      ...tokenizer!.encode('<user>hi<assistant>', { addSpecialTokens: false }),
    ]);
  });

  it('score measures a text as the library does', async () => {
    const text = 'The quick brown fox.\nIt jumps over the lazy dog.\n'.repeat(20);
    writeFileSync(scratch('a.txt'), text);
    const device = await Device.open('cpu');
    const options = { length: 64, stride: 16 };
    const expected = await scoreFile(device, await LanguageModel.load(HF[2]!), scratch('a.txt'), options);
    await device.dispose();
    const args = ['score', 'a.txt', '--model', HF[2]!, '--length', '64', '--stride', '16', ...CPU];
    const { code, stdout } = await cola([...args, '--json'], { cwd: scratch() });
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), { ...expected });
    const plain = await cola(args, { cwd: scratch(), terminal: true });
    assert.match(plain.stdout, new RegExp(`^loss +${expected.loss.toFixed(4)} {2}nats a token$`, 'm'));
    assert.match(plain.stdout, /^bits per byte +\d+\.\d{4}$/m);
  });

  it('fit adds up what a folder takes, and fails where nothing could hold it', async () => {
    const { code, stdout } = await cola(['fit', HF[0]!, '--batch', '4', '--length', '32']);
    assert.equal(code, 0);
    for (const line of [
      /^loading .*fits$/m,
      /^scoring 16 x 32 .*fits$/m,
      /^decoding 4 x 32 .*fits$/m,
      /^training 4 x 32 .*fits$/m,
    ])
      assert.match(stdout, line);
    const huge = await cola(['fit', HF[0]!, '--batch', '100000000', '--length', '128', '--json']);
    assert.equal(huge.code, 1);
    const { parts, ok } = JSON.parse(huge.stdout);
    assert.equal(ok, false);
    assert.deepEqual(
      parts.map(({ fit }: { fit: { fits: boolean } }) => fit.fits),
      [true, true, false, false],
    );
    const elsewhere = await cola(['fit', HF[0]!, '--length', '32', '--device', 'webgpu']);
    assert.equal(elsewhere.code, 0);
    assert.match(elsewhere.stdout, /Not known whether it fits/);
    assert.equal((await cola(['fit', COLA[0]!, '--length', '16'])).code, 0);
  });

  it('fit adds up every stage of a spec', async () => {
    mkdirSync(scratch('specs'));
    const all = `
  - pretrain: { data: a.txt, batch: 4, length: 32 }
  - control: { data: a.txt, batch: 4, length: 32, accumulate: 2, codes: 8, idm_layers: 1, policy_layers: 1 }
  - clone: { data: a.txt, batch: 4, length: 32 }
  - guide: { data: a.jsonl, batch: 4, max_length: 32 }
  - reinforce: { prompts: countdown, reward: countdown, batch: 2, group: 2, max_new: 16 }
  - tokens: { prompts: countdown, reward: countdown, batch: 2, group: 2, max_new: 16 }
  - tokens: { method: supervised, data: a.jsonl, batch: 4, max_length: 32 }
  - q: { prompts: countdown, reward: countdown, batch: 2, group: 2, max_new: 16 }
`;
    writeFileSync(scratch('specs/a.yaml'), `model: ${HF[0]}\nstages:${all}`);
    const { code, stdout, stderr } = await cola(['fit', 'specs/a.yaml', '--json'], { cwd: scratch() });
    assert.equal(code, 0, stderr);
    const { parts } = JSON.parse(stdout);
    assert.deepEqual(
      parts.map(({ what }: { what: string }) => what),
      [
        'loading',
        '1 pretrain: training 4 x 32',
        '2 control: training 2 x 32',
        '3 clone: training 4 x 32',
        '4 guide: training 4 x 32',
        '5 reinforce: rollouts 4 x 80',
        '5 reinforce: held-out answers 200 x 80',
        '5 reinforce: held-out samples 256 x 80',
        '5 reinforce: training 2 x 80',
        '5 reinforce: together',
        '6 tokens: rollouts 4 x 80',
        '6 tokens: held-out answers 200 x 80',
        '6 tokens: held-out samples 256 x 80',
        '6 tokens: training 2 x 80',
        '6 tokens: together',
        '7 tokens: training 4 x 32',
        '8 q: rollouts 4 x 80',
        // Its four samples are cut into four updates.
        '8 q: training 1 x 80',
        '8 q: together',
      ],
    );
    for (const { memory } of parts) assert(memory.total > 0);
    const table = await cola(['fit', 'specs/a.yaml'], { cwd: scratch() });
    assert.match(table.stdout, /^2 control: training 2 x 32 .* fits$/m);
    assert.match(table.stderr, /64 tokens/);

    const sizes = 'hidden: 64, intermediate: 128, layers: 2, heads: 4, context: 64';
    const fresh = `model: { tokenizer: ${HF[0]}, ${sizes} }\nstages: [{ pretrain: { data: a, batch: 2, length: 64 } }]\n`;
    writeFileSync(scratch('specs/b.yaml'), fresh);
    const created = await cola(['fit', 'specs/b.yaml', '--batch', '8', '--json'], { cwd: scratch() });
    assert.equal(created.code, 0, created.stderr);
    const { parameters, parts: own } = JSON.parse(created.stdout);
    assert.equal(own[1].what, 'pretrain: training 8 x 64');
    assert.equal(parameters, 320 * 64 + 64 + 2 * (4 * 64 * 64 + 3 * 64 * 128 + 2 * 64));
  });

  it('fit says what the hidden states take on the disk that a spec keeps', async () => {
    writeFileSync(scratch('a.txt'), 'one two three four five six seven eight nine ten\n'.repeat(20));
    const sizes = 'hidden: 16, intermediate: 32, layers: 1, heads: 2, context: 32';
    const stages = [
      'pretrain: { data: a.txt }',
      'control: { data: a.txt, length: 16, steps: 3, batch: 4, cache_states: true }',
    ];
    const lines = stages.map((stage) => `\n  - ${stage}`).join('');
    writeFileSync(scratch('kept.yaml'), `model: { tokenizer: ${HF[0]}, ${sizes} }\nstages:${lines}\n`);
    const { code, stdout, stderr } = await cola(['fit', 'kept.yaml', '--json'], { cwd: scratch() });
    assert.equal(code, 0, stderr);
    const { disk, parts } = JSON.parse(stdout);
    // As many rows as the steps read; each has 16 states of 16 numbers, and its hash.
    assert.deepEqual(disk.kept, [{ stages: ['control'], rows: 12, bytes: 12 * (4 * 16 * 16 + 32) }]);
    assert(disk.free > disk.bytes);
    assert(parts.some(({ what }: { what: string }) => what === '2 control: reading 4 x 16'));
    const table = await cola(['fit', 'kept.yaml'], { cwd: scratch() });
    assert.match(table.stdout, /^Hidden states on the disk \(control\): 12 rows/m);
  });

  it('train runs a spec, numbers its runs, and resumes one that was stopped', async () => {
    writeFileSync(scratch('a.txt'), 'one two three four five six seven eight nine ten\n'.repeat(200));
    const sizes = 'hidden: 16, intermediate: 32, layers: 1, heads: 2, context: 32';
    const settings = 'data: a.txt, batch: 2, length: 16, steps: 6, warmup: 1, checkpoint_every: 2, evaluate_every: 3';
    const text = `model: { tokenizer: ${HF[0]}, ${sizes} }\ndevice: cpu\nstages: [{ pretrain: { ${settings} } }]\n`;
    writeFileSync(scratch('tiny.cola.yaml'), text);
    const train = (...args: string[]) => cola(args, { cwd: scratch() });
    const first = await train('train', 'tiny.cola.yaml', '--json');
    assert.equal(first.code, 0, first.stderr);
    const { run, model } = JSON.parse(first.stdout);
    assert.equal(run, 'tiny');
    assert(readdirSync(model).includes('model.safetensors'));
    const second = await train('pretrain', 'tiny.cola.yaml');
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stderr, /^Run tiny-2$/m);
    assert.match(second.stdout, /^pretrain 6: .*$/m);
    assert.match(second.stdout, /^Model: .*tiny-2/m);

    const controller = new AbortController();
    const stopped = cola(['train', 'tiny.cola.yaml', '--run', 'third'], { cwd: scratch(), signal: controller.signal });
    controller.abort();
    const { code, stderr } = await stopped;
    assert.equal(code, 130, stderr);
    const again = await train('train', 'tiny.cola.yaml', '--run', 'tiny');
    assert.equal(again.code, 2);
    assert.match(again.stderr, /\[store\.runExists\]/);
    const resumed = await train('train', '--resume', 'tiny-2');
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.match(resumed.stderr, /Going on with the run tiny-2/);
    const latest = await train('train', 'tiny.cola.yaml', '--resume');
    assert.match(latest.stderr, /Going on with the run tiny-2/);
  });

  it('stops with 130 when it is interrupted', async () => {
    const signal = AbortSignal.abort();
    const args = ['generate', '--model', HF[0]!, '--ids', '1', ...CPU];
    const { code, stdout, stderr } = await cola(args, { signal });
    assert.deepEqual([code, stdout, stderr], [130, '', 'Stopped.\n']);
  });

  it('reports a mistake of its own with its stack, and ends with 70', async () => {
    // A sink that breaks stands for anything that nobody thought of.
    let stderr = '';
    const { run } = await import('../../server/cli/program.ts');
    const code = await run(['fit', HF[0]!, '--length', '32'], {
      stdout: {
        write: () => {
          throw new RangeError('broken sink');
        },
      },
      stderr: { write: (text) => (stderr += text) },
      cwd: ROOT,
      signal: new AbortController().signal,
    });
    assert.equal(code, 70);
    assert.match(stderr, /mistake in CoLA Studio[\s\S]*RangeError: broken sink\n +at /);
  });

  it('runs as a program of its own', function () {
    this.timeout(60_000);
    const start = (...args: string[]) =>
      spawnSync(process.execPath, [program('cola'), ...args], { encoding: 'utf8', cwd: ROOT });
    const wrong = start('fit', 'nowhere', '--json');
    assert.equal(wrong.status, 2);
    assert.equal(JSON.parse(wrong.stdout).error.id, 'config.noModel');
  });
});

describe('a progress bar', () => {
  const draw = (isTTY: boolean) => {
    let text = '';
    return { sink: { write: (part: string) => (text += part), isTTY, columns: 60 }, text: () => text };
  };

  it('is drawn over itself on a terminal, and taken off at the end', () => {
    const { sink, text } = draw(true);
    const bar = new Progress(sink, 'clone', 10);
    bar.update(5, 'loss 1.5');
    assert(text().startsWith(`\r\x1b[Kclone  ${'█'.repeat(12)}${'░'.repeat(12)}  5/10  1 s left  loss`));
    assert(text().length < 70);
    bar.update(10);
    assert.match(text(), /10\/10/);
    bar.end();
    assert(text().endsWith('\r\x1b[K'));
  });

  it('is silent where work is quick and nobody watches', () => {
    const { sink, text } = draw(false);
    const bar = new Progress(sink, 'tokens', undefined);
    for (let i = 0; i < 100; i++) bar.update(i);
    bar.end();
    assert.equal(text(), '');
  });
});
