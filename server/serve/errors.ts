/** Errors of the local server. */
import { catalogue } from '../errors.ts';

export const serveErrors = catalogue('serve', {
  noPermission: () => [
    'The request does not carry the token of this server.',
    'Send the header `Authorization: Bearer TOKEN` with the token that `cola serve` printed; OpenAI clients call it the API key.',
  ],
  foreignHost: (host: string) => [
    `The request was sent to ${JSON.stringify(host)}, which is no name of this server.`,
    'Use the address that `cola serve` printed, or start it with --host and the name that clients use.',
  ],
  fromPage: (origin: string) => [
    `The request came from the web page ${JSON.stringify(origin)}, and pages are not served.`,
    'Call the server from a program on this machine.',
  ],
  noRoute: (method: string, path: string) => [
    `There is no ${method} ${path} here.`,
    'Use GET /v1/models, POST /v1/completions or POST /v1/chat/completions.',
  ],
  noModel: (given: string, served: string) => [
    `The model ${JSON.stringify(given)} is not served here.`,
    `Ask for "${served}", or start another server with \`cola serve --model\`.`,
  ],
  tooLarge: (bytes: number) => [
    `The request is larger than ${bytes} bytes.`,
    'Send a shorter prompt, or fewer prompts at once.',
  ],
  tooSlow: () => ['The request did not arrive in time.', 'Send its body at once, and try again.'],
  noJson: (problem: string) => [`The body of the request is not JSON (${problem}).`, 'Send a JSON object in UTF-8.'],
  tooDeep: (depth: number) => [
    `The body of the request is nested deeper than ${depth}.`,
    'Send the fields as the OpenAI API describes them.',
  ],
  badField: (path: string, problem: string) => [
    `${path === '' ? 'The request' : `"${path}"`} is not right: ${problem}.`,
    'The fields are those of the OpenAI API; docs/serve.md lists what is taken.',
  ],
  unsupported: (field: string, instead: string) => [`"${field}" is not supported here.`, `${instead}`],
  noTools: (model: string) => [
    `The chat template of ${model} has no calls of tools, or in a form that is not read here.`,
    'Describe the tools in a message, or serve a model whose template has them: Qwen2.5, Qwen3, Hermes, Mistral or Llama 3.1 and later.',
  ],
  noActions: (field: string, model: string) => [
    `"${field}" needs latent actions, and ${model} has no policy over them.`,
    'Leave it out, or serve a model that was tuned with `cola train`, or builtin:nano.',
  ],
  tokensOnly: (field: string) => [
    `"${field}" belongs to decoding by tokens, and this request asks for latent actions.`,
    'Leave out "decoding", "pin", "ban" and "latent_actions", or this field.',
  ],
  unknownAction: (code: number, count: number) => [
    `There is no latent action ${code}; this model has ${count}, from 0.`,
    `Name one from 0 to ${count - 1}.`,
  ],
  allBanned: () => ['All latent actions are banned.', 'Leave at least one that may be chosen.'],
  emptyPrompt: () => ['A prompt is empty.', 'Give it at least one token.'],
  tooLong: (tokens: number, context: number) => [
    `Prompt and answer would take ${tokens} tokens; this model reads ${context}.`,
    'Shorten the prompt, or ask for fewer tokens with "max_tokens".',
  ],
  tooMany: (rows: number, most: number) => [
    `The request asks for ${rows} answers at once; at most ${most} are given.`,
    'Send fewer prompts, or a smaller "n".',
  ],
  busy: (waiting: number) => [
    `${waiting} answers are waiting already.`,
    'Try again when some of them are done; the header Retry-After says when.',
  ],
  slowReader: () => ['The answer was not read as fast as it was written.', 'Read the stream to its end.'],
  outOfTime: (seconds: number) => [
    `The answer took longer than ${seconds} s.`,
    'Ask for fewer tokens, or start the server with a larger --timeout.',
  ],
  ending: () => ['The server is ending.', 'Start it again with `cola serve`.'],
  failed: () => [
    'The answer could not be computed; the server has written why on its terminal.',
    'Look there; other requests are not affected.',
  ],
  noAddress: (address: string, cause: unknown) => [
    `The server cannot listen on ${address} (${cause instanceof Error ? cause.message : String(cause)}).`,
    'Choose another port with --port, or 0 for any that is free.',
    cause,
  ],
  weakToken: (name: string) => [
    `The token in ${name} is shorter than 16 characters, or has characters that no header can carry.`,
    'Use 16 or more letters, digits and the signs - _ . ~ + / =; or leave it out, and one is made.',
  ],
});
