/** What kind of model one of another architecture is, as far as its name says: a reason why it is not read. */

const kinds: readonly (readonly [name: RegExp, kind: string])[] = [
  [
    /ForSequenceClassification|ForTokenClassification|ForQuestionAnswering|RewardModel/,
    'a classifier, which writes no text',
  ],
  [
    /VL|_vl|[Vv]ision|[Ll]lava|Image|CLIP|clip|^vit|ViT|siglip|Siglip|[Mm]llama|[Pp]ixtral|[Ii]defics|[Pp]aligemma/,
    'a model of pictures',
  ],
  [/Whisper|Wav2Vec|Speech|Audio/i, 'a model of sound'],
  [/^t5|T5|mt5|Bart|Marian|Pegasus|EncoderDecoder/i, 'an encoder with a decoder'],
  [/bert|MaskedLM|electra|mpnet|^bge|^e5/i, 'an encoder, which writes no text'],
  [/Mamba|Rwkv/i, 'a recurrent model'],
  [/Qwen3_?(Next|5)|qwen3_(next|5)/, 'layers of the kind Gated DeltaNet'],
  [/gemma/i, 'sliding windows, soft caps and norms behind its layers'],
  [/^Phi3|^phi3/, 'joined projections and longrope'],
  [/Moe|Mixtral|moe$|mixtral/, 'a mixture of experts'],
  [/^(Llama|Mistral|Qwen2|Qwen3|SmolLM3)Model$/, 'a model without an output head, for embeddings'],
];

/** @param names of the architecture, from config.json */
export function architectureKind(names: readonly string[]): string | undefined {
  return kinds.find(([name]) => names.some((each) => name.test(each)))?.[1];
}
