import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { extensionSources, isTranslated, placeOf, textsIn } from '../../scripts/l10n.ts';
import { localized } from '../../src/contributions/manifest.ts';
import { speak, t } from '../../src/l10n.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const json = (path: string): Record<string, string> => JSON.parse(readFileSync(join(root, path), 'utf8'));

/** Properties of what the editor shows: entries of lists, boxes, notices, the status bar, views. */
const shown =
  /^(label|title|detail|description|placeHolder|placeholder|prompt|tooltip|message|openLabel|hoverMessage|heading)$/;
/** Functions whose arguments are shown. */
const showing =
  /\.(show(Information|Warning|Error)Message|setStatusBarMessage|appendMarkdown|appendText|markdown|progress)$|^(group|commandLink|needTrust|pickFolder|chosenRoot|markdownTable)$/;
/** Where words are none that a person reads, or none that are translated. */
const apart = {
  /** Whoever looks into a problem reads these, and the log; and a run spec, with its comments, is the same in all languages. */
  files: /^src\/(diagnostics|speak|log)\.ts$/,
  declarations:
    /^(specText|\w+Stages?|clusterText|dataText|environmentText|rewardText|fileText|solvedAt|rewardModule)$/,
  calls: /\blog\.(trace|debug|info|warn|error)$|^(Error|RegExp|executeCommand|registerCommand)$/,
  texts:
    /^(CoLA( Studio)?|hf download OWNER\/NAME|skip_bad_rows: true|const total = |countdown|arithmetic|there is none yet|\0 [kMG]B|(\0)?original)$|none; font-size|<(svg|rect|th|td|pre|span|table|!DOCTYPE)|-src |\$\([a-z-]+\)$|^\/\*\* Sum of|^CoLA: \0|^CoLA Studio: \0|\*\*CoLA Studio\*\*|^half the learning rate|^@|^cola |^train \0|^serve \0/,
};

/** A text as it stands in the code, with `\0` for what is filled in. */
function wordsOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return undefined;
  return node.head.text + node.templateSpans.map(({ literal }) => `\0${literal.text}`).join('');
}

const nameOfCall = (node: ts.Node): string | undefined =>
  ts.isCallExpression(node) || ts.isNewExpression(node) ? node.expression.getText() : undefined;

/** Whether a text is given to something that shows it. */
function isShown(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isConditionalExpression(parent) && parent.condition !== node) return isShown(parent);
  if (ts.isParenthesizedExpression(parent)) return isShown(parent);
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node && shown.test(parent.name.getText());
  if (ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.EqualsToken)
    return ts.isPropertyAccessExpression(parent.left) && shown.test(parent.left.name.text);
  return showing.test(nameOfCall(parent) ?? '');
}

/** Texts that a person reads and that are not translated, with their places. */
function untranslated(sources: readonly ts.SourceFile[]): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node) || ts.isTypeNode(node) || isTranslated(node)) {
      if (isTranslated(node)) for (const value of node.arguments.slice(1)) visit(value);
      return;
    }
    if (apart.calls.test(nameOfCall(node) ?? '')) return;
    const declares = ts.isFunctionDeclaration(node) || ts.isVariableDeclaration(node);
    if (declares && apart.declarations.test(node.name?.getText() ?? '')) return;
    const words = wordsOf(node);
    const isName = ts.isPropertyAssignment(node.parent ?? node) && (node.parent as ts.PropertyAssignment).name === node;
    if (words !== undefined && !isName && !apart.texts.test(words)) {
      // Words beside each other, whatever is done with them; and where they are shown a single one as well.
      const sentence = /[A-Za-z]{2,}[,.:;]? [A-Za-z]{2,}|\0 [A-Za-z]{2,}|[A-Za-z]{2,} \0/.test(words);
      const word =
        isShown(node) && /[A-Za-z]{2,}/.test(words.replaceAll(/\$\([a-z~-]+\)/g, '')) && !/^cola\./.test(words);
      if (sentence || word) found.push(`${placeOf(node)} ${words.replaceAll('\0', '…').replaceAll('\n', '⏎')}`);
    }
    ts.forEachChild(node, visit);
  };
  for (const source of sources) if (!apart.files.test(source.fileName)) visit(source);
  return found;
}

const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort().join();
const icons = (text: string) => (text.match(/\$\([a-z~-]+\)/g) ?? []).join();
const links = (text: string) => (text.match(/\]\([^)]*\)|`(?!CoLA: )[^`]*`/g) ?? []).sort().join();
/** Commands that a text tells a person to use. */
const commandsIn = (text: string) => [...text.matchAll(/["`]CoLA: ([^"`]+)["`]/g)].map(([, title]) => title);

describe('what a person reads of the extension', () => {
  it('is translated, wherever it stands', () => {
    assert.deepEqual(untranslated(extensionSources()), []);
  });

  it('is found where it is not', () => {
    const text = [
      "void window.showInformationMessage('Saved');",
      'pick.placeholder = many ? "$(run) Runs" : t("one run");',
      "const items = [{ label: 'Open', command: 'cola.open' }];",
      "const said = t('{0} of {1}', n, of > 3 ? 'too many' : of);",
      "log.info('Read the file');",
    ].join('\n');
    const source = ts.createSourceFile('src/x.ts', text, ts.ScriptTarget.ESNext, true);
    assert.deepEqual(untranslated([source]), [
      'src/x.ts:1 Saved',
      'src/x.ts:2 $(run) Runs',
      'src/x.ts:3 Open',
      'src/x.ts:4 too many',
    ]);
  });

  it('is compared with no answer of theirs as it is in English', () => {
    const texts = new Set(textsIn().map(({ text }) => text));
    const compared: string[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isBinaryExpression(node) && /^[!=]==$/.test(node.operatorToken.getText()))
        // An identifier of the code may be a word that is shown too; a button begins with a capital letter.
        for (const side of [node.left, node.right])
          if (ts.isStringLiteralLike(side) && texts.has(side.text) && /^[A-Z]/.test(side.text))
            compared.push(`${placeOf(side)} ${side.text}`);
      ts.forEachChild(node, visit);
    };
    for (const source of extensionSources()) visit(source);
    assert.deepEqual(compared, []);
  });

  it('is in the lists for translators, all of it (npm run contributions)', () => {
    const texts = textsIn().map(({ text }) => text);
    assert.ok(texts.length > 400);
    assert.deepEqual(json('l10n/bundle.l10n.json'), Object.fromEntries(texts.map((text) => [text, text])));
    assert.deepEqual(json('package.nls.json'), localized().texts);
  });

  it('stands in the manifest by its name', () => {
    const manifest = readFileSync(join(root, 'package.json'), 'utf8');
    const used = [...manifest.matchAll(/"%([\w.-]+)%"/g)].map(([, name]) => name);
    assert.deepEqual([...new Set(used)].sort(), Object.keys(json('package.nls.json')).sort());
  });

  it('fills in what belongs into a text, in any order, and leaves braces of its own alone', () => {
    assert.equal(t('{0} of {1}', 3, 8), '3 of 8');
    assert.equal(t('{run} has ended: {run}', { run: 'a {0} $& b' }), 'a {0} $& b has ended: a {0} $& b');
    assert.equal(t('The answer in \\boxed{} is {constructor}', {}), 'The answer in \\boxed{} is {constructor}');
    try {
      speak({ '{0} of {1}': 'von {1} sind es {0}', Run: 'Lauf' });
      assert.equal(t('{0} of {1}', 3, 8), 'von 8 sind es 3');
      assert.equal(t('Run'), 'Lauf');
      assert.equal(t('toString'), 'toString');
      // A bundle that is none leaves the English.
      speak({ Run: 3 });
      assert.equal(t('Run'), 'Run');
      speak(undefined);
      assert.equal(t('Run'), 'Run');
    } finally {
      speak({});
    }
  });
});

const languages = readdirSync(join(root, 'l10n')).flatMap((name) => /^bundle\.l10n\.(.+)\.json$/.exec(name)?.[1] ?? []);

describe('translations', () => {
  it('are there', () => assert.ok(languages.includes('de')));

  for (const language of languages) {
    it(`name the commands in ${language} as they are called there`, () => {
      const manifest = json(`package.nls.${language}.json`);
      const told = [manifest, json(`l10n/bundle.l10n.${language}.json`)].flatMap((texts) =>
        Object.values(texts).flatMap(commandsIn),
      );
      assert.ok(told.length > 5);
      const titles = new Set(
        Object.entries(manifest).flatMap(([name, text]) => (/^commands\./.test(name) ? text : [])),
      );
      assert.deepEqual(
        told.filter((title) => !titles.has(title)),
        [],
      );
    });

    for (const [english, file] of [
      ['l10n/bundle.l10n.json', `l10n/bundle.l10n.${language}.json`],
      ['package.nls.json', `package.nls.${language}.json`],
    ]) {
      it(`${file} has every text, with the same placeholders, icons, code and links`, () => {
        const given = json(english);
        const translated = json(file);
        assert.deepEqual(Object.keys(translated).sort(), Object.keys(given).sort());
        for (const [name, text] of Object.entries(given)) {
          assert.ok(translated[name].trim() !== '', name);
          for (const of of [placeholders, icons, links]) assert.equal(of(translated[name]), of(text), name);
          const ends = /^\s*|\s*$/g;
          assert.deepEqual(translated[name].match(ends), text.match(ends), `blanks around "${name}"`);
        }
      });
    }
  }
});
