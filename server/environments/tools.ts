/** Calls of tools in what an agent writes: the form that Hermes and Qwen were trained on, `<tool_call>{"name", "arguments"}</tool_call>`. */
import { z } from 'zod';
import type { Environment, Tool } from './environment.ts';

const call = z.object({ name: z.string().max(100), arguments: z.record(z.string(), z.unknown()).default({}) });
export type ToolCall = z.infer<typeof call>;

/** Characters of a call. */
const longest = 4000;

/** The last call in a text; undefined without one that can be read. */
export function toolCall(text: string): ToolCall | undefined {
  const start = text.lastIndexOf('<tool_call>');
  if (start < 0) return undefined;
  const from = start + '<tool_call>'.length;
  const end = text.indexOf('</tool_call>', from);
  const body = text.slice(from, end < 0 ? undefined : end);
  if (body.length > longest) return undefined;
  try {
    const parsed = call.safeParse(JSON.parse(body));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** A call as an agent writes it. */
export const writtenCall = (name: string, given: Readonly<Record<string, unknown>>): string =>
  `<tool_call>\n${JSON.stringify({ name, arguments: given })}\n</tool_call>`;

/** A tool from the schema that its arguments are read with. */
export function toolOf(name: string, description: string, parameters: z.ZodType): Tool {
  return { name, description, parameters: z.toJSONSchema(parameters) as Record<string, unknown> };
}

/** What an agent is told of tools. */
export function toolsText(tools: readonly Tool[]): string {
  if (tools.length === 0) return '';
  const lines = tools.map((tool) => JSON.stringify(tool));
  return [
    'You have these tools. Call one a turn, as <tool_call>{"name": …, "arguments": …}</tool_call>:',
    ...lines,
  ].join('\n');
}

/** What an agent reads first: the rules, the tools, and what it sees. */
export const startText = ({ instructions, tools }: Environment, observation: string): string =>
  [instructions, toolsText(tools), observation].filter((part) => part !== '').join('\n\n');

/** The action in a text of thoughts: behind the last "Action:", else the last line that says something. */
export function actionIn(text: string): string {
  const marked = text.toLowerCase().lastIndexOf('action:');
  const rest = marked < 0 ? text : text.slice(marked + 'action:'.length);
  const lines = rest.split('\n').map((line) => line.replace(/^[\s>]+/, '').trim());
  const said = lines.filter((line) => line !== '');
  return (marked < 0 ? said.at(-1) : said[0]) ?? '';
}
