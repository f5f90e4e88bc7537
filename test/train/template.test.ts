import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { templateOf } from '../../server/train/data.ts';
import type { StageContext } from '../../server/train/stage.ts';
import { errorOf, scratchFolder } from '../store/scratch.ts';

describe('the chat template of a model in training', () => {
  const scratch = scratchFolder();
  const context = () => ({ base: { folder: scratch() } }) as unknown as StageContext;

  it('is none where the folder has none', () => {
    writeFileSync(scratch('tokenizer_config.json'), '{}');
    assert.equal(templateOf(context()), undefined);
  });

  it('is refused where it is broken, and not passed over', () => {
    writeFileSync(scratch('tokenizer_config.json'), JSON.stringify({ chat_template: '{% for %}' }));
    assert.throws(() => templateOf(context()), errorOf('chat.unreadable'));
  });
});
