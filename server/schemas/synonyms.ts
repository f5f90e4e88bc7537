/** What other tools call the settings of a run spec: Trainer and TRL of Hugging Face, verl, axolotl, and plain habit. */

/** Our names, each with others for it. A name that stands for several means the first that fits the place. */
const others: readonly (readonly [ours: string, theirs: string])[] = [
  // The spec.
  [
    'model',
    'base_model base_model_name model_id model_name model_path model_name_or_path name_or_path pretrained_model pretrained_model_name_or_path actor_model policy_model checkpoint init_from',
  ],
  ['device', 'accelerator backend device_map device_type hardware provider use_cpu'],
  ['threads', 'cpu_threads n_threads num_threads num_workers workers'],
  ['seed', 'random_seed data_seed rng_seed random_state'],
  ['stages', 'stage steps tasks phases pipeline training train trainer'],
  ['evaluate', 'eval evals evaluation metrics measure measures compute_metrics'],
  // Where rows come from.
  [
    'jsonl',
    'path file filename file_name file_path data data_file data_files data_path dataset dataset_name dataset_path json json_file jsonl_file jsonlines train_file train_data train_dataset train_files',
  ],
  ['text', 'files paths texts txt text_file text_files documents'],
  ['workspace', 'folder dir directory root repo repository'],
  ['globs', 'glob pattern patterns include includes'],
  ['columns', 'column_mapping columns_mapping field_mapping fields field_messages mapping rename_columns'],
  ['skip_bad_rows', 'skip_errors skip_invalid skip_bad_lines on_bad_lines ignore_errors ignore_verifications'],
  ['task', 'name generator kind'],
  [
    'data',
    'dataset datasets dataset_name dataset_path train_data train_dataset train_file train_files training_data training_file pretraining_dataset input inputs corpus path file files data_path data_file data_files rows prompts',
  ],
  [
    'prompts',
    'prompt dataset datasets dataset_name dataset_path train_data train_dataset train_file train_files training_data training_file prompt_file prompt_data questions input inputs path file files data_path data_file data_files rows data',
  ],
  [
    'held_out',
    'eval_data eval_dataset eval_file evaluation_data heldout holdout test_data test_dataset test_datasets test_file val_data val_file val_files val_dataset val_set_size validation validation_data validation_file validation_split',
  ],
  // How is learned.
  ['learning_rate', 'lr actor_lr actor_learning_rate base_lr max_lr peak_lr step_size'],
  ['warmup', 'warmup_steps num_warmup_steps lr_warmup_steps warmup_ratio lr_warmup_steps_ratio warmup_iters'],
  ['floor', 'min_lr min_lr_ratio min_lr_rate lr_min_ratio cosine_min_lr_ratio'],
  ['weight_decay', 'decay wd l2 adamw_weight_decay'],
  ['beta1', 'adam_beta1 betas adam_betas optim_args'],
  ['beta2', 'adam_beta2'],
  ['clip', 'max_grad_norm grad_clip gradient_clip gradient_clipping clip_grad clip_grad_norm grad_norm max_norm'],
  [
    'batch',
    'batch_size train_batch_size micro_batch_size per_device_train_batch_size per_device_batch_size global_batch_size data_train_batch_size generation_batch_size rollout_batch_size num_prompts prompts_per_step bs',
  ],
  ['accumulate', 'gradient_accumulation gradient_accumulation_steps grad_accum accumulation accumulation_steps'],
  ['epochs', 'epoch num_epochs n_epochs num_train_epochs total_epochs max_epochs'],
  [
    'steps',
    'max_steps num_steps n_steps total_steps train_steps training_steps total_training_steps max_train_steps iterations iters max_iters num_iters num_updates updates epochs epoch num_epochs n_epochs num_train_epochs total_epochs max_epochs',
  ],
  ['tokens', 'max_tokens num_tokens total_tokens train_tokens'],
  [
    'max_length',
    'length max_len seq_len seq_length sequence_len sequence_length max_seq_len max_seq_length cutoff_len block_size context_length model_max_length',
  ],
  [
    'length',
    'max_length max_len seq_len seq_length sequence_len sequence_length max_seq_len max_seq_length cutoff_len block_size context_length model_max_length',
  ],
  ['checkpoint', 'gradient_checkpointing use_gradient_checkpointing activation_checkpointing recompute_activations'],
  ['overlong', 'mask_truncated_completions overlong_filter'],
  [
    'checkpoint_every',
    'save_every save_freq save_steps save_interval checkpoint_steps checkpoint_interval checkpointing_steps',
  ],
  ['evaluate_every', 'eval_every eval_freq eval_steps eval_interval test_freq validation_steps val_check_interval'],
  ['evaluate_rows', 'eval_rows eval_size eval_samples max_eval_samples num_eval_prompts val_batch_size'],
  ['evaluate_samples', 'eval_n val_n num_eval_samples pass_k'],
  ['chat', 'chat_template apply_chat_template use_chat_template template'],
  ['blocks', 'trainable_layers unfrozen_layers num_unfrozen_layers num_layers_unfrozen unfrozen_parameters'],
  // Reinforcement.
  ['algorithm', 'adv_estimator advantage_estimator algo loss_type method rl rl_algorithm trainer trainer_type'],
  ['variant', 'method mode'],
  ['method', 'mode type'],
  [
    'reward',
    'rewards reward_fn reward_func reward_funcs reward_function reward_functions reward_model reward_manager custom_reward_function grader graders scorer verifier judge',
  ],
  [
    'group',
    'group_size n num_generations num_generations_per_prompt generations num_samples num_samples_per_prompt n_samples n_samples_per_prompt samples samples_per_prompt num_return_sequences num_rollouts rollout_n rollouts k rloo_k',
  ],
  [
    'max_new',
    'max_new_tokens max_tokens max_gen_len max_gen_length max_completion_length max_response_length response_length completion_length generate_max_len max_length max_len length',
  ],
  [
    'minibatches',
    'num_minibatches num_mini_batches mini_batches mini_batch_size ppo_mini_batch_size minibatch_size num_iterations num_ppo_epochs ppo_epochs',
  ],
  ['temperature', 'temp sampling_temperature rollout_temperature'],
  ['kl', 'beta kl_beta kl_coef kl_coeff init_kl_coef init_kl_coeff kl_ctl kl_penalty kl_weight'],
  ['gamma', 'discount discount_factor'],
  ['lambda', 'lam gae_lambda'],
  ['clip_ratio', 'epsilon clip_eps clip_epsilon clip_range cliprange clip_ratio_low eps_clip ratio_clip'],
  ['clip_ratio_high', 'epsilon_high eps_clip_high clip_eps_high'],
  ['advantage', 'scale_rewards advantage_estimator adv_estimator'],
  ['loss', 'loss_type loss_agg_mode'],
  ['ratio', 'importance_sampling_level'],
  ['kl_loss', 'kl_loss_coef kl_loss_weight'],
  ['entropy_target', 'target_entropy'],
  ['entropy_weight', 'entropy_coef entropy_coeff ent_coef'],
  ['value_clip', 'cliprange_value clip_range_vf vf_clip value_clip_range'],
  ['value_weight', 'vf_coef vf_coeff value_coef value_coeff value_loss_coef critic_weight'],
  ['whiten', 'whiten_rewards whiten_advantages normalize_advantage normalize_advantages norm_adv'],
  ['solved_at', 'success_threshold pass_threshold correct_at solved_threshold'],
  // Latent actions, and search.
  ['codes', 'num_codes n_codes n_actions num_actions codebook_size latent_actions num_latent_actions'],
  ['simulations', 'num_simulations n_simulations num_sims mcts_simulations'],
  ['cpuct', 'c_puct puct exploration exploration_constant ucb_c'],
  ['breadth', 'width branching branching_factor num_children'],
  // Sizes of a new model.
  ['tokenizer', 'tokenizer_name tokenizer_path tokenizer_name_or_path'],
  ['hidden', 'hidden_size d_model dim n_embd embed_dim width'],
  ['intermediate', 'intermediate_size d_ff ffn_dim mlp_dim n_inner'],
  ['layers', 'num_layers n_layer n_layers num_hidden_layers depth'],
  ['heads', 'num_heads n_head n_heads num_attention_heads'],
  ['kv_heads', 'num_kv_heads n_kv_heads num_key_value_heads'],
  ['context', 'context_length max_position_embeddings n_ctx max_seq_len block_size'],
  ['rope_theta', 'rope_base rotary_base theta'],
  ['tied', 'tie_word_embeddings tie_embeddings tied_embeddings'],
  // Rewards.
  ['max', 'max_length max_len max_tokens maximum most upper limit'],
  ['min', 'min_length min_len min_tokens minimum least lower'],
  ['column', 'answer_column answer_key key field label_column target_column ground_truth reference'],
  ['weight', 'coef coefficient scale reward_weight'],
  ['sum', 'weighted_sum combine total all'],
  ['module', 'custom function script python plugin'],
  ['path', 'file filename file_name file_path function script source'],
  ['environment', 'env environments gym world game'],
  ['similarity', 'edit_distance levenshtein fuzzy rouge bleu'],
  ['exact', 'exact_match em match string_match equals accuracy'],
  ['maths', 'math math_verify boxed latex'],
  ['numeric', 'number gsm8k gsm'],
  ['timeLimitMs', 'timeout timeout_ms time_limit'],
  // Environments.
  ['mcp', 'mcp_server mcp_servers mcpServers'],
  ['command', 'cmd argv args program'],
  ['folder', 'cwd working_directory directory'],
  ['stepMs', 'timeout timeout_ms time_limit'],
  // Stages.
  [
    'reinforce',
    'rl grpo ppo rloo remax rlhf rlvr policy_gradient dapo gspo dr_grpo drgrpo cispo online_rl reinforce++',
  ],
  [
    'supervised',
    'sft finetune fine_tune finetuning fine_tuning instruct instruction_tuning lora qlora imitation bc behaviour_cloning behavior_cloning',
  ],
  [
    'tokens',
    'sft finetune fine_tune finetuning fine_tuning instruct instruction_tuning supervised lora qlora train trainer',
  ],
  ['grpo', 'rloo dapo gspo dr_grpo drgrpo cispo maxrl'],
  ['remax', 'reinforce reinforce++ reinforce_baseline policy_gradient pg vanilla'],
  ['ppo', 'a2c actor_critic gae trpo'],
  ['pretrain', 'pretraining pt clm lm'],
  ['expert', 'expert_iteration mcts search'],
  ['q', 'q_function q_learning'],
  ['dpo', 'direct_preference_optimization direct_preference_optimisation ipo'],
  ['reward', 'reward_model reward_modeling reward_modelling rm preference preferences bradley_terry'],
  ['center', 'center_rewards_coefficient centre'],
  // Devices.
  ['auto', 'gpu'],
  ['cuda', 'nvidia'],
  ['dml', 'directml directx'],
  ['coreml', 'mps metal apple'],
];

const meanings = new Map<string, string[]>();
for (const [ours, theirs] of others) {
  for (const word of theirs.split(' ')) meanings.set(word, [...(meanings.get(word) ?? []), ours]);
}

/** What a word of another tool may mean here, the likeliest first. */
export function meaningsOf(word: string): readonly string[] {
  const snake = word.replace(/([a-z\d])([A-Z])/g, '$1_$2').toLowerCase();
  return meanings.get(snake.replaceAll('-', '_')) ?? [];
}
