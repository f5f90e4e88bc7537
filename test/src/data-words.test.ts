import assert from 'node:assert/strict';
import type { SurveyedFiles } from '../../server/protocol/index.ts';
import { mapWords, proposedGlobs, rowWords, surveyWords } from '../../src/train/data-words.ts';

const survey = (parts: Partial<SurveyedFiles>): SurveyedFiles => ({
  files: 0,
  bytes: 0,
  tokens: null,
  languages: [],
  examples: [],
  leftOut: [],
  complete: true,
  ...parts,
});

describe('words about data', () => {
  const languages = [
    { name: 'TypeScript', files: 100, bytes: 1_180_000, glob: '**/*.{ts,tsx}' },
    { name: 'Markdown', files: 19, bytes: 60_000, glob: '**/*.md' },
    { name: 'Shell', files: 1, bytes: 900, glob: '**/*.sh' },
  ];
  const found = survey({
    files: 120,
    bytes: 1_240_900,
    languages,
    leftOut: [
      { reason: 'data.generatedFile', files: 3, example: 'x' },
      { reason: 'data.notUtf8', files: 1, example: 'y' },
    ],
  });

  it('propose the languages that a folder consists of', () => {
    assert.deepEqual(proposedGlobs(found), ['**/*.{ts,tsx}', '**/*.md']);
    assert.deepEqual(proposedGlobs(survey({})), []);
  });

  it('say what there is and what is left out', () => {
    assert.deepEqual(surveyWords(found), {
      description: '120 files, 1.2 MB',
      detail: 'TypeScript 100, Markdown 19, Shell 1; left out: 3 generated, 1 not UTF-8',
    });
    assert.match(surveyWords({ ...found, complete: false }).description, /^More than 120 files/);
    const tokens = (number: number, counted: 'all' | 'part') =>
      surveyWords({ ...found, tokens: { count: number, counted } }).description;
    assert.equal(tokens(412_345, 'part'), '120 files, 1.2 MB, about 412 k tokens');
    assert.match(tokens(1_240_000, 'all'), /, about 1\.2 M tokens$/);
    assert.match(tokens(31, 'all'), / MB, 31 tokens$/);
    const one = surveyWords(survey({ files: 1, bytes: 31, languages: [{ ...languages[2], bytes: 31 }] }));
    assert.deepEqual(one, { description: '1 file, 1 kB', detail: 'Shell 1; little to learn from' });
    assert.equal(surveyWords(survey({})).detail, 'No text files were found here.');
  });

  it('say which column is what', () => {
    assert.equal(mapWords({ prompt: 'question', response: 'response' }), 'prompt from question, response');
    assert.equal(mapWords({ response: 'answer', answer: 'answer' }), 'response from answer, right answer from answer');
  });

  it('show a row on two lines', () => {
    assert.deepEqual(rowWords({ asks: 'How\nmany?', says: 'It is\n#### 7', right: '7' }), {
      label: 'How many?',
      detail: 'It is #### 7 | right: 7',
    });
    assert.deepEqual(rowWords({ asks: 'q', says: 'a', right: 'a' }), { label: 'q', detail: 'a' });
    assert.deepEqual(rowWords({ asks: '', says: 'text', right: '' }), { label: 'text', detail: '' });
  });
});
