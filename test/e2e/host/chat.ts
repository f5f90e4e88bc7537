/** In the extension host, as any other extension: asks VS Code for the models of CoLA Studio, and talks to the one in the box. */
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  CancellationTokenSource,
  extensions,
  type LanguageModelChat,
  LanguageModelChatMessage,
  LanguageModelTextPart,
  lm,
  workspace,
} from 'vscode';
import { reportFile } from '../support/report.ts';

const question = [LanguageModelChatMessage.User('Numbers: 03 09 12 Target: 24 Answer:')];
const options = { justification: 'A test asks.', modelOptions: { temperature: 0, maxTokens: 12 } };

async function answer(model: LanguageModelChat): Promise<string[]> {
  const { token } = new CancellationTokenSource();
  const { stream } = await model.sendRequest(question, options, token);
  const pieces: string[] = [];
  for await (const part of stream) if (part instanceof LanguageModelTextPart) pieces.push(part.value);
  return pieces;
}

/** Goes away after the first piece. @returns pieces that came all the same */
async function cancelled(model: LanguageModelChat): Promise<number> {
  const source = new CancellationTokenSource();
  const { text } = await model.sendRequest(question, { ...options, modelOptions: { temperature: 1 } }, source.token);
  let pieces = 0;
  try {
    for await (const _ of text) {
      pieces++;
      source.cancel();
    }
  } catch {
    // Whether the editor ends the stream or breaks it off is its own affair.
  }
  return pieces;
}

/** Why a request was refused. */
async function refusal(model: LanguageModelChat): Promise<string> {
  const tools = [{ name: 'list', description: 'Lists files.' }];
  try {
    const { text } = await model.sendRequest(question, { ...options, tools }, new CancellationTokenSource().token);
    for await (const _ of text);
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export async function run(): Promise<void> {
  await extensions.getExtension('cola-studio.cola-studio')?.activate();
  const models = await lm.selectChatModels({ vendor: 'cola' });
  const model = models.find(({ id }) => id === 'builtin:nano');
  if (model === undefined) throw new Error(`there are ${JSON.stringify(models.map(({ id }) => id))}`);
  const { name, family, maxInputTokens } = model;
  const pieces = await answer(model);
  const report = {
    model: { name, family, maxInputTokens },
    tokens: await model.countTokens('export function add('),
    pieces,
    cancelled: await cancelled(model),
    again: await answer(model),
    refusal: await refusal(model),
  };
  const [folder] = workspace.workspaceFolders ?? [];
  const file = join(folder.uri.fsPath, reportFile);
  writeFileSync(`${file}.part`, JSON.stringify(report));
  renameSync(`${file}.part`, file);
  // With the script the extension host would end, and somebody has more to do in its window.
  while (existsSync(file)) await delay(500);
}
