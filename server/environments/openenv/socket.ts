/**
 * A WebSocket on which one message is sent and one comes back. Whoever is on the other side may lie and flood: no message is read
 * that is longer than is allowed, none that was not asked for, and what breaks the protocol ends it at once.
 */
import { type RawData, WebSocket } from 'ws';

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

/** What the package says of an error of the connection, or of one of the protocol. */
function problemOf({ message, code }: Error & { code?: unknown }): SocketProblem {
  const protocol = typeof code === 'string' && code.startsWith('WS_ERR_');
  return protocol || /Sec-WebSocket|upgrade|sockets/i.test(message) ? broken(message) : away(message);
}

/** Pings and pongs between two messages; more are a flood. */
const mostControls = 100;

/** Milliseconds that a server may take to close its side. */
const longestClose = 1000;

interface Waiting {
  readonly resolve: (text: string) => void;
  readonly reject: (problem: Error) => void;
}

export class Socket {
  private controls = 0;
  private asked = false;
  /** What the server said by itself before it was asked: why it takes nobody, say. */
  private early: string | undefined;
  private waiting: Waiting | undefined;
  private problem: SocketProblem | undefined;

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', (data, binary) => this.take(data, binary));
    for (const control of ['ping', 'pong'] as const) {
      socket.on(control, () => {
        if (++this.controls > mostControls) this.fail(broken('it sent pings without end'));
      });
    }
    socket.on('error', (error) => this.fail(problemOf(error)));
    socket.on('close', () => this.fail(away('it closed the connection')));
  }

  /**
   * @param mostBytes of a message
   * @param signal ends the attempt
   * @throws SocketProblem, and the reason of the signal
   */
  static connect(url: URL, mostBytes: number, signal: AbortSignal): Promise<Socket> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      // Compressed, a short message may become a long one.
      const plain = { maxPayload: mostBytes, perMessageDeflate: false, followRedirects: false };
      const socket = new WebSocket(url, plain);
      // What is told with the first bytes is heard.
      const made = new Socket(socket);
      const stop = () => made.fail(away('it was given up'));
      signal.addEventListener('abort', stop, { once: true });
      socket.once('open', () => {
        signal.removeEventListener('abort', stop);
        resolve(made);
      });
      socket.once('unexpected-response', (_, { statusCode }) =>
        made.fail(broken(`it answered ${statusCode}, and opened no WebSocket`)),
      );
      socket.once('close', () => {
        signal.removeEventListener('abort', stop);
        reject(signal.aborted ? signal.reason : made.problem);
      });
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
      this.socket.send(text);
    });
  }

  /** Says something that is not answered, and closes. @returns when the other side has closed too, or is not waited for any more */
  close(last: string): Promise<void> {
    const { socket } = this;
    if (this.problem === undefined) {
      socket.send(last);
      socket.close(1000);
    }
    this.problem ??= away('it is closed');
    if (socket.readyState === WebSocket.CLOSED) return Promise.resolve();
    return new Promise((resolve) => {
      const late = setTimeout(() => socket.terminate(), longestClose);
      socket.once('close', () => {
        clearTimeout(late);
        resolve();
      });
    });
  }

  private fail(problem: SocketProblem, reason: Error = problem): void {
    this.problem ??= problem;
    this.socket.terminate();
    this.waiting?.reject(reason);
  }

  private take(data: RawData, binary: boolean): void {
    if (this.problem !== undefined) return;
    const text = String(data);
    if (binary) this.fail(broken('it sent something else than text'));
    else if (this.waiting !== undefined) this.waiting.resolve(text);
    else if (!this.asked && this.early === undefined) this.early = text;
    else this.fail(broken('it sent messages that nobody had asked for'));
  }
}
