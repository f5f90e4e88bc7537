import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { parts } from '../../src/contributions/index.ts';
import { contributes, localized, restrictedConfigurations } from '../../src/contributions/manifest.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Calls in the extension's sources: the callee's last name, and its arguments where they are plain text. */
interface Call {
  readonly file: string;
  readonly callee: string;
  readonly texts: readonly (string | undefined)[];
}

interface Sources {
  readonly calls: readonly Call[];
  /** Every plain text, with its file. */
  readonly texts: readonly { readonly file: string; readonly text: string }[];
  /** Functions that hand a name on to `registerCommand`, by file. */
  readonly registrars: ReadonlySet<string>;
}

function read(): Sources {
  const calls: Call[] = [];
  const texts: { file: string; text: string }[] = [];
  const registrars = new Set<string>();
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  for (const file of files.filter((name) => name.endsWith('.ts') && !name.startsWith('contributions'))) {
    const source = ts.createSourceFile(
      file,
      readFileSync(join(root, 'src', file), 'utf8'),
      ts.ScriptTarget.ESNext,
      true,
    );
    const visit = (node: ts.Node): void => {
      if (ts.isStringLiteralLike(node)) texts.push({ file, text: node.text });
      if (ts.isCallExpression(node)) {
        const { expression } = node;
        const callee = ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText();
        calls.push({
          file,
          callee,
          texts: node.arguments.map((argument) => (ts.isStringLiteralLike(argument) ? argument.text : undefined)),
        });
        if (callee === 'registerCommand' && node.arguments.some((argument) => argument.getText() === 'name')) {
          for (let up: ts.Node = node; up !== source; up = up.parent) {
            if (ts.isVariableDeclaration(up)) registrars.add(`${file} ${up.name.getText()}`);
            if (ts.isFunctionDeclaration(up) && up.name !== undefined) registrars.add(`${file} ${up.name.text}`);
          }
        }
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return { calls, texts, registrars };
}

describe('manifest', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const english: Record<string, string> = JSON.parse(readFileSync(join(root, 'package.nls.json'), 'utf8'));
  /** As the editor reads it, with the texts in the place of their names. */
  const shown = JSON.parse(JSON.stringify(manifest.contributes), (_, value) =>
    typeof value === 'string' ? (english[/^%(.+)%$/.exec(value)?.[1] ?? ''] ?? value) : value,
  );
  const { commands, keybindings, menus, views, viewsWelcome, walkthroughs, languages, grammars } = shown;
  const declared = new Set<string>(commands.map(({ command }: { command: string }) => command));
  const sources = read();

  it('has the contributions that the types declare', () => {
    assert.deepEqual(shown, JSON.parse(JSON.stringify(contributes())), 'run `npm run contributions`');
    assert.deepEqual(manifest.contributes, JSON.parse(JSON.stringify(localized().contributes)));
  });

  it('lets a folder without trust decide no setting, and no folder any that concerns feedback or the engine', () => {
    const settings: Record<string, { scope: string }> = manifest.contributes.configuration.properties;
    const restricted = manifest.capabilities.untrustedWorkspaces.restrictedConfigurations;
    assert.deepEqual(restricted, restrictedConfigurations(), 'run `npm run contributions`');
    assert.deepEqual([...restricted].sort(), Object.keys(settings).sort());
    const own = Object.keys(settings).filter((name) =>
      /^cola\.(feedback\.|threads$|idleMinutes$|interactiveLatency$|runs\.)/.test(name),
    );
    assert.equal(own.length, 9);
    assert.deepEqual(
      own.filter((name) => !['machine', 'application'].includes(settings[name].scope)),
      [],
    );
  });

  it('lets Settings Sync carry no setting that is about a machine: what it has, and where files lie on it', () => {
    const settings: Record<string, { scope: string }> = manifest.contributes.configuration.properties;
    const travels = Object.keys(settings).filter((name) => !settings[name].scope.startsWith('machine'));
    assert.deepEqual(
      travels.filter((name) => !name.startsWith('cola.completion.')),
      [],
    );
    assert.equal(travels.length, Object.keys(settings).filter((name) => name.startsWith('cola.completion.')).length);
  });

  it('declares nothing twice', () => {
    const names = commands.map(({ command }: { command: string }) => command);
    assert.equal(new Set(names).size, names.length);
    const settings = parts.flatMap((part) => Object.keys(part.settings ?? {}));
    assert.equal(new Set(settings).size, settings.length);
  });

  it('refers only to commands and views that exist', () => {
    const linked = (text: string) => [...text.matchAll(/command:([\w.]+)/g)].map(([, name]) => name);
    const used: string[] = [
      ...keybindings.map(({ command }: { command: string }) => command),
      ...Object.values<{ command: string }[]>(menus).flatMap((menu) => menu.map(({ command }) => command)),
      ...viewsWelcome.flatMap(({ contents }: { contents: string }) => linked(contents)),
      ...walkthroughs.flatMap(({ steps }: { steps: { description: string; completionEvents: string[] }[] }) =>
        steps.flatMap(({ description, completionEvents }) => [
          ...linked(description),
          ...completionEvents.flatMap((event) => /^onCommand:(.+)/.exec(event)?.[1] ?? []),
        ]),
      ),
    ];
    // The editor's own commands have no `cola.`.
    assert.deepEqual(
      used.filter((command: string) => command.startsWith('cola.') && !declared.has(command)),
      [],
    );
    const known = new Set(views.cola.map(({ id }: { id: string }) => id));
    for (const { view } of viewsWelcome) assert.ok(known.has(view), view);
    for (const [, view] of JSON.stringify(menus).matchAll(/view == ([\w.]+)/g)) assert.ok(known.has(view), view);
    for (const id of known)
      assert.ok(
        viewsWelcome.some(({ view }: { view: string }) => view === id),
        `${id}, empty`,
      );
  });

  it('registers every command that is declared, once, and no other', () => {
    const registered = sources.calls.flatMap(({ file, callee, texts }) => {
      const registers = callee === 'registerCommand' || sources.registrars.has(`${file} ${callee}`);
      return registers ? texts.flatMap((text) => (text?.startsWith('cola.') ? [text] : [])) : [];
    });
    assert.deepEqual(registered.sort(), [...declared].sort());
  });

  it('executes only commands that are declared', () => {
    const executed = sources.calls.flatMap(({ callee, texts }) =>
      callee === 'executeCommand' ? (texts[0] ?? []) : [],
    );
    assert.deepEqual(
      executed.filter((name) => name.startsWith('cola.') && !declared.has(name)),
      [],
    );
  });

  it('reads every setting that is declared', () => {
    const texts = new Set(sources.texts.map(({ text }) => text));
    const settings = Object.keys(manifest.contributes.configuration.properties);
    assert.deepEqual(
      settings.filter((name) => !texts.has(name)),
      [],
    );
  });

  it('has a test in VS Code for every setting that is declared', () => {
    const files = ['settings', 'reload'].map((name) => readFileSync(join(root, `test/e2e/${name}.e2e.ts`), 'utf8'));
    const tested = [...files.join('\n').matchAll(/^ {2}(?:it|seldom)\('(cola\.[\w.]+): /gm)].map(([, name]) => name);
    assert.deepEqual(tested.sort(), Object.keys(manifest.contributes.configuration.properties).sort());
  });

  it('sets every context key that is declared, and uses it', () => {
    const keys = parts.flatMap((part) => part.contextKeys ?? []);
    const set = sources.calls.flatMap(({ callee, texts }) =>
      callee === 'executeCommand' && texts[0] === 'setContext' ? [texts[1]] : [],
    );
    assert.deepEqual([...new Set(set)].sort(), [...keys].sort());
    const clauses = JSON.stringify([commands, keybindings, menus, views, viewsWelcome, walkthroughs]);
    assert.deepEqual(
      keys.filter((key) => !new RegExp(`${key.replaceAll('.', '\\.')}\\b`).test(clauses)),
      [],
    );
  });

  it('points to files that are there', () => {
    const files: string[] = [
      ...languages.map(({ configuration }: { configuration: string }) => configuration),
      ...grammars.map(({ path }: { path: string }) => path),
      ...walkthroughs.flatMap(({ steps }: { steps: { media: { svg: string } }[] }) =>
        steps.map(({ media }) => media.svg),
      ),
    ];
    for (const file of files) assert.ok(existsSync(join(root, file)), file);
  });

  it('titles every command as VS Code does its own, each otherwise', () => {
    const titles: string[] = commands.map(({ title }: { title: string }) => title);
    const hidden = new Set(
      menus.commandPalette.flatMap(({ command, when }: { command: string; when: string }) =>
        when === 'false' ? command : [],
      ),
    );
    const listed: string[] = commands.flatMap(({ command, title }: { command: string; title: string }) =>
      hidden.has(command) ? [] : title,
    );
    assert.ok(listed.length > 40);
    assert.equal(new Set(listed).size, listed.length);
    const small = new Set(['a', 'an', 'and', 'for', 'from', 'in', 'of', 'on', 'or', 'the', 'this', 'to', 'half']);
    const faults = titles.filter((title) => {
      const words = title.replace(/…$/, '').split(' ');
      const lower = words.filter((word, i) => /^[a-z]/.test(word) && (i === 0 || !small.has(word)));
      return lower.length > 0 || /[.:!]$|^CoLA\b/.test(title);
    });
    assert.deepEqual(faults, []);
    for (const { category } of commands) assert.equal(category, 'CoLA');
  });

  it('enables commands, keys and menus by what is known: keys of VS Code, or those that the extension sets', () => {
    // As https://code.visualstudio.com/api/references/when-clause-contexts lists them, and operators and values aside.
    const ofTheEditor =
      /^(editor(TextFocus|Readonly|IsOpen|HasSelection)|inlineSuggestionVisible|suggestWidgetVisible|findWidgetVisible|editorHasMultipleSelections|inSnippetMode|renameInputVisible|parameterHintsVisible|view|viewItem|resource(Filename|Extname|LangId|Scheme)|workspaceFolderCount|activeWebviewPanelId|isWorkspaceTrusted|vim\.active|neovim\.init|config\.[\w.]+|in|not|true|false)$/;
    const own = new Set(parts.flatMap((part) => part.contextKeys ?? []));
    const clauses: string[] = [
      ...commands.flatMap(({ enablement }: { enablement?: string }) => enablement ?? []),
      ...[keybindings, viewsWelcome, ...Object.values(menus)].flatMap((list) =>
        (list as { when?: string }[]).flatMap(({ when }) => when ?? []),
      ),
    ];
    assert.ok(clauses.length > 30);
    const unknown = clauses.flatMap((clause) => {
      const bare = clause.replaceAll(/=~ \/(\\.|[^/])*\/[a-z]*|[=!]=\s*('[^']*'|[\w.\-/]+)|[<>]=?\s*\d+/g, ' ');
      return (bare.match(/[A-Za-z][\w.]*/g) ?? []).filter((key) => !own.has(key) && !ofTheEditor.test(key));
    });
    assert.deepEqual([...new Set(unknown)], []);
  });
});
