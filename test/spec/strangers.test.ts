/** Run specs as people write them who know YAML from elsewhere, or another tool: each is read, or gets a true sentence. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { diagnose, fixes } from '../../server/language/spec/diagnostics.ts';
import { parseSpec, readSpec } from '../../server/spec/document.ts';
import { errorOf, scratchFolder } from '../store/scratch.ts';

const stage = 'stages:\n  - clone: { data: a }\n';
const whole = `model: m\n${stage}`;

/** A text, what its first problem says, where it is, and the text after the quick fix, which has no problem left. */
const mistakes: [what: string, text: string, says: RegExp, at: string, repaired?: string][] = [
  ['tabs', 'model: m\nstages:\n\t- clone: { data: a }\n', /^Tabs .*: use blanks$/, '3:1'],
  [
    'a key twice',
    `model: m\nseed: 1\n${stage}seed: 2\n`,
    /^"seed" stands here twice, first in line 2: keep one$/,
    '5:1',
  ],
  [
    'a key twice in a stage',
    'model: m\nstages:\n  - clone:\n      data: a\n      data: b\n',
    /^"data" .* first in line 4: keep one$/,
    '5:7',
  ],
  ['several documents', `${whole}---\n${whole}`, /^A run spec is one document: .* file of its own$/, '4:1'],
  ['no blank behind a colon', `model:m\n${stage}`, /a blank behind it: write model: m/, '1:1', whole],
  ['a key of TOML', `model = m\n${stage}`, /a colon and .*: write model: m/, '1:1', whole],
  ['TOML alone', 'model = m\nseed = 1\n', /write model: m/, '1:1'],
  ['a wide colon', `model： m\n${stage}`, /write model: m/, '1:1', whole],
  ['no blank behind a dash', 'model: m\nstages:\n  -clone: { data: a }\n', /a blank behind its dash/, '3:3', whole],
  [
    'a pattern without quotes',
    'model: m\nstages:\n  - clone: { data: *.txt }\n',
    /^A text that begins with \* stands in quotes: write "\*\.txt"/,
    '3:20',
    'model: m\nstages:\n  - clone: { data: "*.txt" }\n',
  ],
  ['an alias of nothing', 'model: *base\nstages: []\n', /^\*base stands for what &base marks, and nothing/, '1:8'],
  ['an @', `model: @me/model\n${stage}`, /quotes: write "@me\/model"/, '1:8', `model: "@me/model"\n${stage}`],
  ['a template', `model: {{ name }}\n${stage}`, /^Nothing is filled in for {{ }}/, '1:8'],
  ['a tag', `model: !env MODEL\n${stage}`, /^!env is not known here: write the value itself$/, '1:8'],
  [
    'a path of Windows in double quotes',
    `model: "C:\\models\\my"\n${stage}`,
    /write 'C:\\models\\my'/,
    '1:8',
    `model: 'C:\\models\\my'\n${stage}`,
  ],
  ['blanks of a web page', 'model: m\nstages:\n\u00a0\u00a0- clone: { data: a }\n', /no plain one.*type blanks/, '3:1'],
  [
    'marks of a merge',
    `model: m\n<<<<<<< HEAD\nseed: 1\n=======\nseed: 2\n>>>>>>> theirs\n${stage}`,
    /^A merge has left its marks/,
    '2:1',
  ],
];

/** Words of others in a stage, or at the top, with what is said of them. */
const words: [text: string, says: RegExp, suggestion?: string][] = [
  ['top_p: 1', /"temperature" and "top_k"$/],
  ['bf16: true', /"precision" of "base"/],
  ['gradient_checkpointing: true', /did you mean "checkpoint"/, 'checkpoint'],
  ['mask_truncated_completions: true', /did you mean "overlong"/, 'overlong'],
  ['output_dir: out', /\.cola\/runs.*--run NAME/],
  ['report_to: wandb', /metrics\.jsonl.*"log" at the top/],
  ['lr_scheduler_type: cosine', /"warmup" .* "floor"/],
  ['lora_r: 8', /"lora": { rank: 16, alpha: 32 }/],
  ['load_in_4bit: true', /"precision" of "base"/],
  ['useVllm: true', /computes answers itself/],
  ['max_prompt_length: 64', /skip_bad_rows: true/],
  ['system_prompt: x', /first message of a row/],
  ['optim: adamw_8bit', /AdamW/],
  ['early-stopping: 3', /best checkpoint/],
  ['device: cpu', /at the top of the spec, beside "model"$/],
  ['seed: 1', /at the top of the spec/],
  ['reward_funcs: exact', /here but "reward", which is set$/],
  ['num_train_epochs: 3', /here but "steps", which is set$/],
];

describe('specs written by strangers', () => {
  const scratch = scratchFolder();

  for (const [what, text, says, at, repaired] of mistakes) {
    it(`with ${what}`, () => {
      const [{ message, start, suggestion }] = parseSpec(text, 'a.cola.yaml').problems;
      assert.match(message, says);
      assert.equal(`${start.line + 1}:${start.column + 1}`, at);
      assert.equal(suggestion !== undefined, repaired !== undefined || what === 'TOML alone');
      if (repaired === undefined) return;
      const [diagnostic] = diagnose(text, 'a');
      const [fix] = fixes('file:///a', [diagnostic]);
      const [{ range, newText }] = fix.edit!.changes!['file:///a'];
      const lines = text.split('\n');
      const line = lines[range.start.line];
      lines[range.start.line] = line.slice(0, range.start.character) + newText + line.slice(range.end.character);
      assert.equal(lines.join('\n'), repaired);
      assert.deepEqual(parseSpec(repaired, 'a').problems, []);
    });
  }

  for (const [text, says, suggestion] of words) {
    it(`with ${text} in a stage`, () => {
      const stages = `  - ${/checkpointing|lora/.test(text) ? 'tokens: { method: reinforce,' : 'reinforce: {'} prompts: a, reward: exact, steps: 1, ${text} }`;
      const problems = parseSpec(`model: m\nstages:\n${stages}\n`, 'a').problems;
      assert.equal(problems.length, 1);
      assert.match(problems[0].message.replace(/\(did you mean/, 'did you mean'), says);
      assert.equal(problems[0].suggestion, suggestion);
    });
  }

  it('with words at the top that belong to a stage, under the name they have there', () => {
    const said = (text: string) => parseSpec(`${whole}${text}\n`, 'a').problems.map(({ message }) => message);
    assert.deepEqual(said('num_generations: 8'), [
      'There is no setting "num_generations" here: it belongs to a stage, as in stages: [{ tokens: { group: ... } }]',
    ]);
    assert.match(said('wandb_project: x')[0], /"log" at the top/);
    assert.match(said('resume: true')[0], /cola train --resume NAME/);
  });

  it('with settings merged from an anchor, which another stage may change', () => {
    const text =
      'model: m\nstages:\n  - tokens: &rows { method: supervised, data: r.jsonl, epochs: 3 }\n' +
      '  - tokens:\n      <<: *rows\n      epochs: 2\n';
    const { spec, problems } = parseSpec(text, 'a');
    assert.deepEqual(problems, []);
    const settings = spec!.stages.map((each) => each.settings as { data?: unknown; epochs?: number });
    assert.deepEqual(
      settings.map(({ data, epochs }) => [data, epochs]),
      [
        ['r.jsonl', 3],
        ['r.jsonl', 2],
      ],
    );
    // What is wrong in what is merged is shown there.
    const [problem] = parseSpec(
      text.replace('r.jsonl,', 'r.jsonl, epoch: 1,').replace(', epochs: 3', ''),
      'a',
    ).problems;
    assert.equal(problem.suggestion, 'epochs');
  });

  it('saved as UTF-16, as shells of Windows do, and in another encoding', () => {
    const file = scratch('a.cola.yaml');
    const utf16 = Buffer.from(`\ufeff${whole}`, 'utf16le');
    for (const bytes of [utf16, Buffer.from(utf16).swap16()]) {
      writeFileSync(file, bytes);
      assert.equal(readSpec(file).model, 'm');
    }
    writeFileSync(file, Buffer.from(whole.replace('m\n', 'Müller\n'), 'latin1'));
    assert.throws(() => readSpec(file), errorOf('spec.notUtf8'));
  });
});
