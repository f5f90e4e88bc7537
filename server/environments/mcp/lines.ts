/**
 * Messages of JSON-RPC 2.0 as lines of JSON (Model Context Protocol, transport "stdio"). Whoever writes them may lie and flood:
 * a line is bounded in bytes and depth before it is parsed, and so is what is written without being asked for.
 */
import type { Readable, Writable } from 'node:stream';
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  type DataCallback,
  type Message,
  type MessageReader,
  type MessageWriter,
} from 'vscode-jsonrpc/node';
import { z } from 'zod';
import { deeperThan } from '../../files/json-depth.ts';

/** Bytes of a line; screens and documents are no texts to read. */
const mostBytes = 1024 * 1024;
/** Lists and objects in each other; schemas of tools have a dozen. */
const deepest = 64;
/** Messages, and bytes of them, between two requests: logs and progress are allowed, a flood is not. */
const mostMessages = 1000;
const mostUnasked = 8 * mostBytes;

const id = z.union([z.string().max(200), z.number()]);
const version = z.literal('2.0');
/** A request or notification, an answer, a refusal. */
const message = z.union([
  z.object({
    jsonrpc: version,
    id: id.optional(),
    method: z.string().max(200),
    params: z.union([z.record(z.string(), z.unknown()), z.array(z.unknown())]).optional(),
  }),
  z.object({ jsonrpc: version, id, result: z.record(z.string(), z.unknown()) }),
  z.object({
    jsonrpc: version,
    id: id.nullish(),
    error: z.object({ code: z.int(), message: z.string(), data: z.unknown().optional() }),
  }),
]);

/** A line was read that is no message, or too many of them. */
export class BrokenLine extends Error {}

/** Cuts what arrives into lines. @throws BrokenLine for one that is too long */
export class LineCutter {
  private parts: Buffer[] = [];
  private size = 0;

  constructor(private readonly longest: number) {}

  *cut(chunk: Buffer): Generator<string> {
    for (let from = 0; from < chunk.length; ) {
      const end = chunk.indexOf(0x0a, from);
      const part = chunk.subarray(from, end < 0 ? undefined : end);
      this.size += part.length;
      if (this.size > this.longest) throw new BrokenLine(`it wrote a line of more than ${this.longest} bytes`);
      this.parts.push(part);
      if (end < 0) return;
      const line = Buffer.concat(this.parts).toString('utf8').trim();
      this.parts = [];
      this.size = 0;
      from = end + 1;
      if (line !== '') yield line;
    }
  }
}

/** The messages of a line, which may be a list of them (revision 2025-03-26). @throws BrokenLine */
export function messagesIn(line: string): Message[] {
  if (deeperThan(line, deepest)) throw new BrokenLine(`it wrote something that is nested more than ${deepest} deep`);
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new BrokenLine(`it wrote something else than a message: ${line.slice(0, 100)}`);
  }
  return (Array.isArray(value) ? value : [value]).map((each) => {
    const parsed = message.safeParse(each);
    if (!parsed.success) throw new BrokenLine(`it wrote something else than a message: ${line.slice(0, 100)}`);
    return parsed.data as Message;
  });
}

export class LinesIn extends AbstractMessageReader implements MessageReader {
  private readonly lines = new LineCutter(mostBytes);
  private messages = 0;
  private bytes = 0;
  private broken = false;

  /** @param fail told once what is wrong; nothing more is read then */
  constructor(
    private readonly input: Readable,
    private readonly fail: (problem: BrokenLine) => void,
  ) {
    super();
  }

  listen(callback: DataCallback) {
    const take = (chunk: Buffer) => this.take(chunk, callback);
    this.input.on('data', take);
    return { dispose: () => void this.input.off('data', take) };
  }

  /** Something is asked now: what came until here is forgotten. */
  asked(): void {
    this.messages = 0;
    this.bytes = 0;
  }

  private take(chunk: Buffer, callback: DataCallback): void {
    if (this.broken) return;
    try {
      this.bytes += chunk.length;
      for (const line of this.lines.cut(chunk)) {
        for (const each of messagesIn(line)) {
          if (++this.messages > mostMessages || this.bytes > mostUnasked)
            throw new BrokenLine('it writes messages without end');
          callback(each);
        }
      }
    } catch (error) {
      if (!(error instanceof BrokenLine)) throw error;
      this.broken = true;
      this.fail(error);
    }
  }
}

export class LinesOut extends AbstractMessageWriter implements MessageWriter {
  constructor(private readonly output: Writable) {
    super();
  }

  /** What cannot be written is found where no answer comes: the process has ended then. */
  async write(each: Message): Promise<void> {
    if (this.output.writable) this.output.write(`${JSON.stringify(each)}\n`);
  }

  end(): void {
    this.output.end();
  }
}
