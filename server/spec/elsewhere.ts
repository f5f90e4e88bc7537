/** What other tools set in the file of a run and what is set, or done, elsewhere here: a sentence for each. */

const run = 'a run is kept in .cola/runs under the name of its spec, or of `cola train SPEC --run NAME`';
const precision =
  'the form of a frozen base is "precision" of "base", at the top of the spec; what is trained is float32';
const logs =
  'figures are in metrics.jsonl of the run at every step; "log" at the top of the spec adds tensorboard and csv';
const schedule = 'the rate rises over "warmup" and falls along a cosine to "floor"';
const ends = 'an answer ends at the end tokens of the model, or at "max_new"';
const best = 'the best checkpoint by the held-out measures is kept, "evaluate_every" of them';
const adapter = 'an adapter is "lora": { rank: 16, alpha: 32 } of a stage tokens';
const itself = 'CoLA Studio computes answers itself';
const onlyTopK = 'answers are drawn by "temperature" and "top_k"';

/** Words of other tools by the sentence that is true of them. */
const sentences: readonly (readonly [words: string, sentence: string])[] = [
  [
    'output_dir output out out_dir save_dir run_name name experiment_name project project_name default_local_dir hub_model_id push_to_hub',
    run,
  ],
  [
    'bf16 fp16 tf32 float16 bfloat16 dtype torch_dtype precision mixed_precision load_in_4bit load_in_8bit quantization quantize bits bnb_4bit_compute_dtype',
    precision,
  ],
  [
    'report_to logger loggers logging logging_steps logging_strategy logging_dir log_level wandb wandb_project wandb_entity wandb_name wandb_run tensorboard mlflow trackio use_wandb',
    logs,
  ],
  ['lr_scheduler lr_scheduler_type lr_scheduler_kwargs scheduler lr_schedule', schedule],
  ['stop stop_strings stop_sequences stop_token stop_token_ids eos_token ignore_eos', ends],
  [
    'early_stopping early_stopping_patience patience load_best_model_at_end metric_for_best_model save_total_limit save_strategy save_only_model max_actor_ckpt_to_keep',
    best,
  ],
  [
    'eval_strategy evaluation_strategy do_eval val_before_train',
    '"evaluate_every" says how often, and the first time is before the first step',
  ],
  [
    'adapter peft peft_config lora_r lora_rank lora_alpha lora_config lora_target_modules target_modules lora_target use_peft r',
    adapter,
  ],
  ['lora_dropout lora_bias use_rslora use_dora', 'adapters have rank, alpha and targets alone'],
  [
    'use_vllm vllm vllm_mode vllm_gpu_memory_utilization gpu_memory_utilization tensor_model_parallel_size enforce_eager sglang rollout_engine',
    itself,
  ],
  ['top_p min_p typical_p repetition_penalty presence_penalty frequency_penalty do_sample num_beams', onlyTopK],
  [
    'max_prompt_length max_prompt_len truncation filter_overlong_prompts',
    'prompts are never cut; those that leave no room for "max_new" are left out with skip_bad_rows: true of { jsonl }',
  ],
  [
    'system_prompt system default_system',
    'instructions are the first message of a row, { role: system, content: ... }',
  ],
  ['optim optimizer optimiser', 'the optimiser is AdamW, with "beta1", "beta2" and "weight_decay"'],
  [
    'deepspeed fsdp fsdp_config ddp ddp_backend nproc_per_node nnodes n_gpus_per_node world_size',
    'several processes share the work with "cluster", at the top of the spec',
  ],
  ['reward_weights reward_weight', 'weights stand in the reward: { sum: [{ reward: exact, weight: 1 }, ...] }'],
  [
    'ref_model reference_model ref sync_ref_model ref_model_sync_steps',
    'the reference is the model as the stage found it',
  ],
  ['resume resume_from_checkpoint resume_mode', 'a run goes on with `cola train --resume NAME`'],
  ['target_kl kl_target', 'the divergence is held by "kl", which is fixed'],
  ['trust_remote_code', 'code of a model is never run'],
  [
    'packing pack sample_packing padding padding_free',
    'the stages of texts fill their sequences, and rows stand beside each other',
  ],
];

const words = new Map(sentences.flatMap(([keys, sentence]) => keys.split(' ').map((key) => [key, sentence] as const)));

/** What is true of a key of another tool; undefined where nothing is known of it. @param key in any of the usual spellings */
export const elsewhere = (key: string): string | undefined =>
  words.get(
    key
      .replace(/([a-z\d])([A-Z])/g, '$1_$2')
      .toLowerCase()
      .replaceAll('-', '_'),
  );
