/**
 * A WebSocket (RFC 6455) on which one message is sent and one comes back. Whoever is on the other side may lie and flood: no
 * message is read that is longer than is allowed, none that was not asked for, and what breaks the protocol ends it at once.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { Duplex } from 'node:stream';

/** What became of a connection that should have answered. */
export class SocketProblem extends Error {
  /** @param kind `away`: nobody answers, or no longer; `broken`: what came is not what the protocol has */
  constructor(
    readonly kind: 'away' | 'broken',
    message: string,
  ) {
    super(message);
  }
}

const away = (message: string) => new SocketProblem('away', message);
const broken = (message: string) => new SocketProblem('broken', message);

/** What a server makes of the key that it was sent, to prove that it knows the protocol (RFC 6455, section 4.2.2). */
const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Pings and pongs between two messages; more are a flood. */
const mostControls = 100;

/** Milliseconds that a server may take to close its side. */
const longestClose = 1000;

const opcodes = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 } as const;

interface Waiting {
  readonly resolve: (text: string) => void;
  readonly reject: (problem: Error) => void;
}

export class Socket {
  /** Bytes that are no whole frame yet. */
  private unread: Buffer = Buffer.alloc(0);
  private parts: Buffer[] = [];
  private size = 0;
  private controls = 0;
  private asked = false;
  /** What the server said by itself before it was asked: why it takes nobody, say. */
  private early: string | undefined;
  private waiting: Waiting | undefined;
  private problem: SocketProblem | undefined;

  private constructor(
    private readonly stream: Duplex,
    head: Buffer,
    private readonly mostBytes: number,
  ) {
    stream.on('data', (bytes: Buffer) => this.read(bytes));
    stream.on('error', ({ message }) => this.fail(away(message)));
    stream.on('close', () => this.fail(away('it closed the connection')));
    if (head.length > 0) this.read(head);
  }

  /**
   * @param mostBytes of a message
   * @param signal ends the attempt
   * @throws SocketProblem, and the reason of the signal
   */
  static connect(url: URL, mostBytes: number, signal: AbortSignal): Promise<Socket> {
    const key = randomBytes(16).toString('base64');
    const accepted = createHash('sha1').update(`${key}${guid}`).digest('base64');
    return new Promise((resolve, reject) => {
      const request = (url.protocol === 'wss:' ? secureRequest : plainRequest)({
        hostname: url.hostname.replace(/^\[|\]$/g, ''),
        port: url.port === '' ? (url.protocol === 'wss:' ? 443 : 80) : url.port,
        path: `${url.pathname}${url.search}`,
        agent: false,
        signal,
        headers: {
          Host: url.host,
          Connection: 'Upgrade',
          Upgrade: 'websocket',
          'Sec-WebSocket-Key': key,
          'Sec-WebSocket-Version': '13',
        },
      });
      request.on('upgrade', ({ headers }: IncomingMessage, stream, head) => {
        if (headers['sec-websocket-accept'] === accepted) return resolve(new Socket(stream, head, mostBytes));
        stream.destroy();
        reject(broken('it does not know WebSocket'));
      });
      request.on('response', (response) => {
        response.destroy();
        reject(broken(`it answered ${response.statusCode}, and opened no WebSocket`));
      });
      request.on('error', (error) => reject(signal.aborted ? signal.reason : away(error.message)));
      request.end();
    });
  }

  /** Sends a text and waits for the one that comes back. @throws SocketProblem, and the reason of the signal; it is closed then */
  ask(text: string, signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      const stop = () => this.fail(away('it was given up'), signal.reason);
      const end = () => {
        this.waiting = undefined;
        signal.removeEventListener('abort', stop);
      };
      if (signal.aborted) return reject(signal.reason);
      const { early } = this;
      this.early = undefined;
      this.asked = true;
      this.controls = 0;
      if (early !== undefined) return resolve(early);
      if (this.problem !== undefined) return reject(this.problem);
      signal.addEventListener('abort', stop, { once: true });
      this.waiting = {
        resolve: (answer) => {
          end();
          resolve(answer);
        },
        reject: (problem) => {
          end();
          reject(problem);
        },
      };
      this.send(opcodes.text, Buffer.from(text));
    });
  }

  /** Says something that is not answered, and closes. @returns when the other side has closed too, or is not waited for any more */
  close(last: string): Promise<void> {
    if (this.problem === undefined) {
      this.send(opcodes.text, Buffer.from(last));
      this.send(opcodes.close, Buffer.from([0x03, 0xe8]));
    }
    this.problem ??= away('it is closed');
    if (this.stream.closed) return Promise.resolve();
    return new Promise((resolve) => {
      const late = setTimeout(() => this.stream.destroy(), longestClose);
      this.stream.once('close', () => {
        clearTimeout(late);
        resolve();
      });
      this.stream.end();
      this.stream.resume();
    });
  }

  private fail(problem: SocketProblem, reason: Error = problem): void {
    this.problem ??= problem;
    this.stream.destroy();
    this.waiting?.reject(reason);
  }

  private send(opcode: number, body: Buffer): void {
    const { length } = body;
    const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
    head[0] = 0x80 | opcode;
    head[1] = 0x80 | (length < 126 ? length : length < 65_536 ? 126 : 127);
    if (head.length === 4) head.writeUInt16BE(length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
    const mask = randomBytes(4);
    const masked = Buffer.from(body);
    for (let i = 0; i < length; i++) masked[i] ^= mask[i & 3];
    this.stream.write(Buffer.concat([head, mask, masked]));
  }

  private read(bytes: Buffer): void {
    if (this.problem !== undefined) return;
    this.unread = this.unread.length === 0 ? bytes : Buffer.concat([this.unread, bytes]);
    try {
      while (this.frame());
    } catch (error) {
      this.fail(error instanceof SocketProblem ? error : broken(String(error)));
    }
  }

  /** Takes a frame off what is unread. @returns whether there was a whole one */
  private frame(): boolean {
    const { unread } = this;
    if (unread.length < 2 || this.problem !== undefined) return false;
    const [first, second] = unread;
    if ((first & 0x70) !== 0 || (second & 0x80) !== 0) throw broken('it sent a frame that no server may send');
    const short = second & 0x7f;
    const start = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (unread.length < start) return false;
    const length = short === 126 ? unread.readUInt16BE(2) : short === 127 ? Number(unread.readBigUInt64BE(2)) : short;
    // Before it is read: nobody has to hold what is too long.
    if (length > this.mostBytes - this.size) throw broken(`it sent a message of more than ${this.mostBytes} bytes`);
    if (unread.length < start + length) return false;
    this.unread = unread.subarray(start + length);
    this.take(first & 0x0f, (first & 0x80) !== 0, unread.subarray(start, start + length));
    return true;
  }

  private take(opcode: number, last: boolean, body: Buffer): void {
    if (opcode === opcodes.close) throw away('it closed the connection');
    if (opcode === opcodes.ping || opcode === opcodes.pong) {
      if (!last || body.length > 125 || ++this.controls > mostControls) throw broken('it sent pings without end');
      if (opcode === opcodes.ping) this.send(opcodes.pong, body);
      return;
    }
    const goesOn = this.parts.length > 0;
    if (opcode !== (goesOn ? opcodes.continuation : opcodes.text)) throw broken('it sent something else than text');
    this.parts.push(body);
    this.size += body.length;
    // A part of nothing takes room, too.
    if (this.parts.length > 10_000) throw broken('it sent a message in more parts than anybody needs');
    if (!last) return;
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(this.parts));
    this.parts = [];
    this.size = 0;
    if (this.waiting !== undefined) this.waiting.resolve(text);
    else if (!this.asked && this.early === undefined) this.early = text;
    else throw broken('it sent messages that nobody had asked for');
  }
}
