/** The parts of a run spec with their places: for the outline, and for what can be run from the margin. */
import { type CodeLens, type DocumentSymbol, type Range, SymbolKind } from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { isMap, isScalar, isSeq, type Node, type Pair } from 'yaml';
import { specCommands } from '../../protocol/commands.ts';
import type { ListedRun } from '../../protocol/runs.ts';
import { documentIn, specIn } from './parsed-text.ts';
import { specName } from './uri.ts';

interface Part {
  readonly name: string;
  readonly key: Node;
  readonly value: Node | undefined;
}

function partsOf(node: unknown): Part[] {
  if (!isMap(node)) return [];
  return (node.items as Pair[]).flatMap(({ key, value }) =>
    isScalar(key) ? [{ name: String(key.value), key, value: (value as Node | null) ?? undefined }] : [],
  );
}

const offsets = (node: Node): [number, number] => [node.range?.[0] ?? 0, node.range?.[1] ?? 0];

/** Stages in order: name and settings. */
function stagesOf(contents: unknown): Part[] {
  const stages = partsOf(contents).find(({ name }) => name === 'stages')?.value;
  return isSeq(stages) ? stages.items.flatMap((item) => partsOf(item).slice(0, 1)) : [];
}

export function symbols(text: string): DocumentSymbol[] {
  const document = TextDocument.create('', 'yaml', 0, text);
  const symbol = ({ name, key, value }: Part, kind: SymbolKind, children: DocumentSymbol[]): DocumentSymbol => {
    const [start, keyEnd] = offsets(key);
    const end = Math.max(keyEnd, value === undefined ? 0 : offsets(value)[1]);
    return {
      name: name === '' ? '""' : name,
      ...(isScalar(value) ? { detail: String(value.value) } : {}),
      kind,
      range: { start: document.positionAt(start), end: document.positionAt(end) },
      selectionRange: { start: document.positionAt(start), end: document.positionAt(keyEnd) },
      ...(children.length > 0 ? { children } : {}),
    };
  };
  const settings = (node: unknown) => partsOf(node).map((part) => symbol(part, SymbolKind.Property, []));
  const { contents } = documentIn(text);
  return partsOf(contents).map((part) => {
    const stages = part.name === 'stages' ? stagesOf(contents) : [];
    const below = stages.map((stage) => symbol(stage, SymbolKind.Module, settings(stage.value)));
    return symbol(part, SymbolKind.Field, below.length > 0 ? below : settings(part.value));
  });
}

/**
 * Run, Will it fit and Docs on the first line, Run only this stage at each. Only a spec without problems can be run. What has `data`
 * and no command gets its title when it is shown.
 *
 * @param uri of the spec; the commands are given it, and those of a stage its index
 * @param latest the latest run of the spec: it can be looked at, and continued where it was interrupted
 */
export function lenses(text: string, uri: string, latest?: ListedRun): CodeLens[] {
  if (specIn(text, specName(uri)).problems.length > 0) return [];
  const document = TextDocument.create('', 'yaml', 0, text);
  const { contents } = documentIn(text);
  const first = partsOf(contents)[0];
  const rangeOf = (node: Node): Range => {
    const [start, end] = offsets(node);
    return { start: document.positionAt(start), end: document.positionAt(end) };
  };
  const whole = first === undefined ? [] : [rangeOf(first.key)];
  const stages = stagesOf(contents);
  return [
    ...whole.flatMap((range) => [
      { range, command: { title: '$(play) Run', command: specCommands.run, arguments: [uri] } },
      { range, data: { fit: uri } },
      ...runLenses(range, latest),
      { range, command: { title: '$(book) Docs', command: specCommands.docs } },
    ]),
    ...stages.map(({ name, key }, index) => ({ range: rangeOf(key), data: { stage: { uri, index, name } } })),
  ];
}

function runLenses(range: Range, latest: ListedRun | undefined): CodeLens[] {
  if (latest === undefined) return [];
  const { root, run, state, checkpoint, elsewhere } = latest;
  const key = { root, run };
  const interrupted = (state === 'stopped' || state === 'failed') && checkpoint !== null && !elsewhere;
  const resume = {
    title: `$(debug-continue) Resume ${run} from step ${checkpoint}`,
    command: specCommands.resume,
    arguments: [key],
  };
  const dashboard = { title: `$(graph) Dashboard of ${run}`, command: specCommands.dashboard, arguments: [key] };
  return [...(interrupted ? [{ range, command: resume }] : []), { range, command: dashboard }];
}
