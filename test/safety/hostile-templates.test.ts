/**
 * Chat templates as a model folder may bring along to hang or fill whoever writes a conversation with them: each ends within ten
 * seconds of computing with an error of the catalogue, and takes less than a gigabyte.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ColaError } from '../../server/errors.ts';
import { loadChatTemplate } from '../../server/model/chat/chat.ts';
import { loadTokenizer } from '../../server/model/tokenizer/tokenizer.ts';
import { record } from './results.ts';

const nano = join(import.meta.dirname, '../../assets/nano');

const templates: Readonly<Record<string, string>> = {
  'loops over a billion': '{% for i in range(1000000000) %}{{ i }}{% endfor %}',
  'loops in loops':
    '{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}',
  'doubles a text':
    "{% set ns = namespace(t='aaaaaaaa') %}{% for i in range(60) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}{{ ns.t }}",
  'doubles a list':
    '{% set ns = namespace(t=[1, 2, 3]) %}{% for i in range(60) %}{% set ns.t = ns.t + ns.t %}{% endfor %}{{ ns.t }}',
  'repeats a text a billion times': "{{ 'abcdefgh' * 1000000000 }}",
  'repeats a list a billion times': '{{ [1] * 1000000000 }}',
  'calls itself': '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}',
  'calls itself twice': '{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}',
  'is nested deeply': `{{ ${'('.repeat(50_000)}1${')'.repeat(50_000)} }}`,
  'opens what it does not close': '{% if 1 %}'.repeat(20_000),
  'is five megabytes of expressions': '{{ 1 }}'.repeat(700_000),
  'centres a text in a billion blanks': "{{ 'a' | center(1000000000) }}",
  'joins with a long text': "{{ range(99999) | list | join('x' * 99999) }}",
  'replaces each letter by a long text': "{{ ('a' * 99999) | replace('a', 'b' * 99999) }}",
  'raises a number to a power': '{{ 9 ** 9 ** 9 ** 9 }}{% for i in range(2000000) %}{{ 2 ** 1000000 }}{% endfor %}',
  'reaches for the prototype':
    "{{ messages.constructor.constructor('return process')().exit(7) }}{{ raise_exception('kept in') }}",
  'reaches for it by name':
    "{{ ({})['__proto__']['polluted'] }}{{ messages['constructor']['constructor'] }}{{ raise_exception('kept in') }}",
  'slices backwards for ever': '{% for i in range(3000000) %}{{ messages[::-1] | length }}{% endfor %}',
  'writes JSON of itself':
    '{% set ns = namespace() %}{% set ns.a = ns %}{{ ns | tojson }}{% for i in range(9999999) %}{% endfor %}',
  'says why it refuses at length': "{{ raise_exception('x' * 99999) }}",
  'sorts a million':
    '{{ range(1000000) | list | sort | unique | list | length }}{% for i in range(9999999) %}{% endfor %}',
};

describe(`${Object.keys(templates).length + 7} chat templates that mean ill`, function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'cola-templates-'));
  const tokenizer = loadTokenizer(nano);
  const messages = Array.from({ length: 6 }, (_, i) => ({
    role: i % 2 ? 'assistant' : 'user',
    content: 'a'.repeat(200),
  }));
  const file = join(folder, 'chat_template.jinja');
  let count = 0;
  after(() => {
    rmSync(folder, { recursive: true, force: true });
    if (process.env.COLA_SLOW === '1') record('hostile templates', { templates: count });
  });

  function assertRefused(): void {
    const begun = process.cpuUsage();
    const before = process.memoryUsage.rss();
    assert.throws(
      () => loadChatTemplate(folder).encode(messages, tokenizer),
      (error) => {
        assert.ok(error instanceof ColaError, String(error));
        assert.match(error.id, /^(chat|files)\./);
        assert.ok(error.message.length < 2000, 'what it says can be read');
        return true;
      },
    );
    const { user } = process.cpuUsage(begun);
    assert.ok(user < 10e6, `${user / 1e6} s`);
    assert.ok(process.memoryUsage.rss() - before < 1e9, `${process.memoryUsage.rss() - before} bytes`);
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    rmSync(file);
    count++;
  }

  for (const [name, template] of Object.entries(templates)) {
    it(`one ${name}`, () => {
      writeFileSync(file, template);
      assertRefused();
    });
  }

  it('one that pads or indents by a billion is given a hundred thousand', () => {
    writeFileSync(file, "{{ '%1000000000d' | format(1) }}{{ 'a\\nb' | indent(1000000000) }}");
    const { ids } = loadChatTemplate(folder).encodePrompt(messages, tokenizer);
    rmSync(file);
    assert.ok(ids.length > 0 && ids.length < 1e6, `${ids.length}`);
    count++;
  });

  it('ones that take tags, or a number, out of a long text come to an end soon', () => {
    const long = (text: string) =>
      `{% set ns = namespace(t='${text}') %}{% for i in range(17) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}`;
    for (const template of [
      `${long('< ')}{{ ns.t | striptags | length }}`,
      `${long('<!--')}{{ ns.t | striptags | length }}`,
      `${long('99')}{{ (ns.t ~ 'x') | float }}`,
    ]) {
      writeFileSync(file, template);
      const begun = process.cpuUsage();
      loadChatTemplate(folder).encodePrompt(messages, tokenizer);
      const { user } = process.cpuUsage(begun);
      assert.ok(user < 10e6, `${template}: ${user / 1e6} s`);
      rmSync(file);
      count++;
    }
  });

  it('one is a device without end', () => {
    symlinkSync('/dev/zero', file);
    assertRefused();
  });

  it('one is a pipe', () => {
    execFileSync('mkfifo', [file]);
    assertRefused();
  });

  it('one is larger than any template is', () => {
    writeFileSync(file, 'x'.repeat(6 << 20));
    assertRefused();
  });
});
