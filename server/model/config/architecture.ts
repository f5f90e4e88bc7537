/** What kind of model one of another architecture is, as far as its name says: a reason why it is not read. */

const kinds: readonly (readonly [name: RegExp, kind: string])[] = [
  [
    /ForSequenceClassification|ForTokenClassification|ForQuestionAnswering|RewardModel/,
    'a classifier, which writes no text',
  ],
  [
    /VL|_vl|\dvl|[Vv]ision|[Ll]lava|Image|CLIP|clip|^vit|ViT|siglip|Siglip|[Mm]llama|[Pp]ixtral|[Ii]defics|[Pp]aligemma|^(Gemma3ForC|gemma3$)|Phi4Multimodal|^phi4/,
    'a model of pictures',
  ],
  [/Whisper|Wav2Vec|Speech|Audio/i, 'a model of sound'],
  [/^t5|T5|mt5|Bart|Marian|Pegasus|EncoderDecoder/i, 'an encoder with a decoder'],
  [/bert|MaskedLM|electra|mpnet|^bge|^e5/i, 'an encoder, which writes no text'],
  [/Mamba|Rwkv/i, 'a recurrent model'],
  [/Qwen3_?(Next|5)|qwen3_?(next|5)/, 'layers of the kind Gated DeltaNet'],
  [/^(Gemma|gemma|gemma3n|gemma4)/, 'blocks of another generation than Gemma 2 and 3'],
  [/^(Phi|phi)/, 'blocks of another generation than Phi-3 and Phi-4'],
  [/Moe|MoE|Mixtral|moe$|mixtral|[Gg]pt[-_]?[Oo]ss|[Dd]eepseek_?[Vv]?[23]/, 'a mixture of experts'],
  [
    /^(Llama|Mistral|Qwen2|Qwen3|SmolLM3|Gemma2|Gemma3Text|Phi3)Model$/,
    'a model without an output head, for embeddings',
  ],
];

/** @param names of the architecture, from config.json or a GGUF file */
export function architectureKind(names: readonly string[]): string | undefined {
  return kinds.find(([name]) => names.some((each) => name.test(each)))?.[1];
}
