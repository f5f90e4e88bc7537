/**
 * The local server: requests over HTTP, as the OpenAI API writes them. It listens where it is told to, answers those who have
 * its token, and no page of a browser; what a request may take is bounded in size, time and number.
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ColaError } from '../errors.ts';
import { deeperThan } from '../files/json-depth.ts';
import { parseJson } from '../jinja/json-text.ts';
import { errorBody, Form, type Part, type Usage } from './answers.ts';
import { serveErrors } from './errors.ts';
import { bounds, chatRequest, completionRequest, type Manner } from './requests.ts';
import type { Service } from './service.ts';
import type { Sink } from './written.ts';

export interface ServerOptions {
  /** The address to listen on. */
  readonly host: string;
  /** 0 takes any that is free. */
  readonly port: number;
  readonly token: string;
  /** Seconds that an answer may take. */
  readonly timeout: number;
  /** Told what failed in the server itself. */
  readonly onFailure: (error: unknown) => void;
}

/** Answers that an answer's reader may be behind, in bytes. */
const backlog = 1 << 20;
const connections = 256;

export class LocalServer {
  private constructor(
    private readonly server: Server,
    private readonly service: Service,
    private readonly options: ServerOptions,
    /** What is being answered. */
    private readonly answering = new Set<AbortController>(),
  ) {}

  /** @throws serve.noAddress */
  static async listen(service: Service, options: ServerOptions): Promise<LocalServer> {
    const limits = { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5_000, maxHeaderSize: 16_384 };
    const server = createServer({ ...limits, connectionsCheckingInterval: 1_000 });
    server.maxConnections = connections;
    const made = new LocalServer(server, service, options);
    server.on('request', (request, response) => void made.handle(request, response));
    server.listen(options.port, options.host);
    try {
      await once(server, 'listening');
    } catch (cause) {
      throw serveErrors.noAddress(`${options.host}:${options.port}`, cause);
    }
    server.on('error', options.onFailure);
    return made;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Where clients find it. */
  get url(): string {
    const { host } = this.options;
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.port}/v1`;
  }

  /** Ends what is being answered, and listens no more. */
  async close(): Promise<void> {
    const closed = new Promise<void>((done) => this.server.close(() => done()));
    for (const asked of this.answering) asked.abort(serveErrors.ending());
    // Time for the answers to say why they end.
    const timer = setTimeout(() => this.server.closeAllConnections(), 1_000);
    this.server.closeIdleConnections();
    await closed;
    clearTimeout(timer);
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that goes away is no failure of ours.
    response.on('error', () => {});
    try {
      await this.route(request, response);
    } catch (error) {
      this.fail(response, error);
    }
  }

  private async route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.admit(request);
    const { service } = this;
    const path = pathOf(request.url);
    const { method } = request;
    if (method === 'GET' && path === '/v1/models') return send(response, 200, { object: 'list', data: [this.model()] });
    if (method === 'GET' && path.startsWith('/v1/models/')) {
      const name = decoded(path.slice('/v1/models/'.length));
      if (name !== service.name) throw serveErrors.noModel(name, service.name);
      return send(response, 200, this.model());
    }
    if (method === 'POST' && path === '/v1/completions') {
      const asked = completionRequest(await bodyOf(request));
      return this.answer(request, response, 'completion', asked, (client, signal, sink) =>
        service.complete(asked, client, signal, sink),
      );
    }
    if (method === 'POST' && path === '/v1/chat/completions') {
      const asked = chatRequest(await bodyOf(request));
      return this.answer(request, response, 'chat', asked, (client, signal, sink) =>
        service.chat(asked, client, signal, sink),
      );
    }
    throw serveErrors.noRoute(method ?? '', path.slice(0, 200));
  }

  private model(): object {
    const { name, context, decoding, latentActions } = this.service;
    return {
      id: name,
      object: 'model',
      created: 0,
      owned_by: 'local',
      context_length: context,
      decoding,
      latent_actions: latentActions,
    };
  }

  /** @throws serve.noPermission, serve.foreignHost, serve.fromPage */
  private admit(request: IncomingMessage): void {
    const { origin, host = '' } = request.headers;
    // A page that a browser shows could otherwise reach the server under a name of its own (DNS rebinding).
    if (origin !== undefined) throw serveErrors.fromPage(origin.slice(0, 200));
    const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    const names = ['localhost', '127.0.0.1', '::1', this.options.host];
    if (!names.includes(name) && !anyAddress.has(this.options.host)) throw serveErrors.foreignHost(name.slice(0, 200));
    const given = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if (!timingSafeEqual(digest(given), digest(this.options.token))) throw serveErrors.noPermission();
  }

  private async answer(
    request: IncomingMessage,
    response: ServerResponse,
    kind: 'completion' | 'chat',
    asked: Manner,
    perform: (client: string, signal: AbortSignal, sink: Sink) => Promise<Usage>,
  ): Promise<void> {
    const { service, options } = this;
    // One of its own: the signals that `AbortSignal.any` makes stay with a source that lives as long as the server.
    const ending = new AbortController();
    const { signal } = ending;
    this.answering.add(ending);
    response.on('close', () => ending.abort(serveErrors.slowReader()));
    const timer = setTimeout(() => ending.abort(serveErrors.outOfTime(options.timeout)), options.timeout * 1000);
    const client = asked.user ?? `${request.socket.remoteAddress}:${request.socket.remotePort}`;
    const form = new Form(kind, service.name, service.tokenizer);
    if (asked.ignored.length > 0)
      response.setHeader('X-Ignored-Fields', asked.ignored.map(encodeURIComponent).join(', ').slice(0, 1000));
    try {
      if (!asked.stream) {
        const parts = new Parts();
        const usage = await perform(client, signal, (part) => parts.add(part));
        send(response, 200, form.whole(parts.all, usage));
        return;
      }
      const write = (event: object | string) => {
        if (!response.headersSent)
          response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
        response.write(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`);
        if (response.writableLength > backlog) ending.abort(serveErrors.slowReader());
      };
      const usage = await perform(client, signal, (part) => write(form.piece(part)));
      if (asked.includeUsage) write(form.usage(usage));
      write('[DONE]');
      response.end();
    } catch (error) {
      // One prompt of several failed: nobody waits for the others.
      ending.abort(error);
      throw error;
    } finally {
      clearTimeout(timer);
      this.answering.delete(ending);
    }
  }

  private fail(response: ServerResponse, thrown: unknown): void {
    if (response.destroyed) return;
    if (!(thrown instanceof ColaError)) this.options.onFailure(thrown);
    const error = thrown instanceof ColaError ? thrown : serveErrors.failed();
    const status = statusOf(error.id);
    if (response.headersSent) {
      response.end(`data: ${JSON.stringify(errorBody(error, status))}\n\n`);
      return;
    }
    if (status === 401) response.setHeader('WWW-Authenticate', 'Bearer');
    if (status === 429) response.setHeader('Retry-After', '1');
    // What is left of the request is not read.
    response.setHeader('Connection', 'close');
    send(response, status, errorBody(error, status));
  }
}

/** Addresses that stand for all of this machine: whoever listens there has said that others may come. */
const anyAddress: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

const statuses: Readonly<Record<string, number>> = {
  'serve.noPermission': 401,
  'serve.foreignHost': 403,
  'serve.fromPage': 403,
  'serve.noRoute': 404,
  'serve.noModel': 404,
  'serve.tooSlow': 408,
  'serve.tooLarge': 413,
  'serve.busy': 429,
  'serve.failed': 500,
  'serve.ending': 503,
  'serve.outOfTime': 504,
};

const statusOf = (id: string): number => statuses[id] ?? 400;

const digest = (text: string) => createHash('sha256').update(text).digest();

/** `//` and its like are no path that there is. */
function pathOf(url = '/'): string {
  return URL.canParse(url, 'http://local') ? new URL(url, 'http://local').pathname : url;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

/** @throws serve.tooLarge, serve.tooSlow, serve.noJson, serve.tooDeep */
async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bounds.bytes) throw serveErrors.tooLarge(bounds.bytes);
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof ColaError ? error : serveErrors.tooSlow();
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw serveErrors.noJson('it is not UTF-8');
  }
  if (deeperThan(text, bounds.depth)) throw serveErrors.tooDeep(bounds.depth);
  let value: unknown;
  try {
    // Templates print the schemas of tools.
    value = parseJson(text, ['parameters']);
  } catch (cause) {
    throw serveErrors.noJson(cause instanceof Error ? cause.message.slice(0, 200) : 'it cannot be read');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw serveErrors.noJson('it is no object');
  return value;
}

/** The parts of the answers to one request, put together. */
class Parts {
  private readonly parts = new Map<number, Part>();

  add(part: Part): void {
    const { index, chances, actions, calls } = part;
    const before = this.parts.get(index);
    this.parts.set(index, {
      index,
      text: (before?.text ?? '') + part.text,
      finish: part.finish,
      ...(chances === undefined ? {} : { chances: [...(before?.chances ?? []), ...chances] }),
      ...(actions === undefined ? {} : { actions: [...(before?.actions ?? []), ...actions] }),
      ...(calls === undefined && before?.calls === undefined
        ? {}
        : { calls: [...(before?.calls ?? []), ...(calls ?? [])] }),
    });
  }

  get all(): Part[] {
    return [...this.parts.values()].sort((a, b) => a.index - b.index);
  }
}
