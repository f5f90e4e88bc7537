import assert from 'node:assert/strict';
import { type Frame, FrameFault, FrameReader, frameMark, Outgoing } from '../../server/cluster/frames.ts';
import { answer, hello, request } from '../../server/cluster/messages.ts';
import { Random } from '../../server/random.ts';

const bytesOf = ({ pieces }: Outgoing) => Buffer.concat(pieces);
const good = () =>
  bytesOf(
    Outgoing.of({ kind: 'sum', seconds: 1, values: [] }, [Float32Array.of(1, -2, Number.NaN), new Float32Array(0)]),
  );

/** What is read of bytes that come in pieces. */
function read(bytes: Uint8Array, { most = 3, piece = bytes.byteLength || 1 } = {}): Frame[] {
  const frames: Frame[] = [];
  const reader = new FrameReader(
    () => most,
    (frame) => frames.push(frame),
  );
  for (let at = 0; at < bytes.byteLength; at += piece) reader.push(bytes.subarray(at, at + piece));
  return frames;
}

/** A message with this head, as it stands. */
function headed(head: string, length = Buffer.byteLength(head)): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32LE(frameMark, 0);
  prefix.writeUInt32LE(length, 4);
  return Buffer.concat([prefix, Buffer.from(head)]);
}

describe('messages between a run and its workers', () => {
  it('are whole however they are cut, and one that ends early is none', () => {
    for (const piece of [1, 7, 1000]) {
      const frames = read(Buffer.concat([good(), good()]), { piece });
      assert.deepEqual(
        frames.map(({ head }) => head),
        Array(2).fill({ kind: 'sum', seconds: 1, values: [] }),
      );
      assert.deepEqual(frames[1]?.floats, [Float32Array.of(1, -2, Number.NaN), new Float32Array(0)]);
    }
    for (const length of [0, 7, 8, 9, good().byteLength - 1]) assert.deepEqual(read(good().subarray(0, length)), []);
  });

  it('are refused before room is made for them where they are longer than they may be, or no messages', () => {
    const lies: Record<string, [Uint8Array, RegExp]> = {
      'no mark': [Buffer.from('HTTP/1.1 200 OK'), /is no message/],
      'a head of 4 GB': [headed('', 2 ** 32 - 1), /head of its message has 4294967295 bytes/],
      'no JSON': [headed('{"kind":'), /no JSON/],
      'a list': [headed('[1]'), /names no numbers/],
      nothing: [headed('null'), /names no numbers/],
      'negative numbers': [headed('{"tensors":[-1]}'), /names no numbers/],
      'half a number': [headed('{"tensors":[0.5]}'), /names no numbers/],
      'numbers in words': [headed('{"tensors":["3"]}'), /names no numbers/],
      'more numbers than there are': [
        headed('{"tensors":[9007199254740991,9007199254740991]}'),
        /more than there may be/,
      ],
      'a number too many': [headed('{"tensors":[2,2]}'), /has 4 numbers, more than there may be/],
      'many arrays': [headed(JSON.stringify({ tensors: Array(100_001).fill(0) })), /names no numbers/],
      depth: [headed(`{"tensors":[],"value":${'['.repeat(1e5)}${']'.repeat(1e5)}}`), /nested without end/],
    };
    for (const [name, [bytes, reason]] of Object.entries(lies))
      assert.throws(
        () => read(bytes),
        (error) => error instanceof FrameFault && reason.test(error.message),
        name,
      );
  });

  it('with bytes changed at random are messages, or faults of whoever sent them', () => {
    const random = new Random(5);
    let [refused, taken] = [0, 0];
    for (let i = 0; i < 1000; i++) {
      const bytes = good();
      for (let n = random.integer(3); n >= 0; n--) bytes[random.integer(bytes.byteLength)] = random.integer(256);
      try {
        for (const { head } of read(bytes)) {
          taken++;
          for (const schema of [hello, answer, request]) schema.safeParse(head);
        }
      } catch (error) {
        assert.ok(error instanceof FrameFault, String(error));
        refused++;
      }
    }
    assert.ok(refused > 100 && taken > 100, `${refused} refused, ${taken} taken`);
  });

  it('have words of another process that end, and tell a terminal nothing', () => {
    const said = { kind: 'error', id: 'a.b', message: `x\u001b[2J\u0007${'y'.repeat(1e6)}`, remedy: 'z\n\u009b1m' };
    const { message, remedy } = answer.parse(said) as { message: string; remedy: string };
    assert.equal(message, `x [2J ${'y'.repeat(1994)}`);
    assert.equal(remedy, 'z\n 1m');
    const greeting = { kind: 'hello', version: '1', code: 'c', host: 'h\r\u001b]0;t\u0007', process: 1, cpu: '' };
    assert.equal(hello.parse(greeting).host, 'h  ]0;t ');
  });
});
