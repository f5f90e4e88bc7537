"""TRL's GRPOTrainer on the same model and prompts: one round of reinforcement per line on standard input, its figures as JSON."""
import ast
import json
import os
import re
import resource
import sys
import tempfile
import time

os.environ["HF_HUB_OFFLINE"] = "1"
options = json.loads(sys.argv[1])
os.environ["OMP_NUM_THREADS"] = str(options["threads"])
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

torch.set_num_threads(options["threads"])
# What the trainer prints goes elsewhere: standard output is for figures.
figures, sys.stdout = sys.stdout, sys.stderr
took = {}


def timed(name):
    """Notes the seconds of a method, by the clock and of all threads."""
    method = getattr(GRPOTrainer, name)

    def run(*given, **named):
        wall, cpu = time.perf_counter(), time.process_time()
        result = method(*given, **named)
        took[name] = (time.perf_counter() - wall, time.process_time() - cpu)
        return result

    setattr(GRPOTrainer, name, run)


def value(node):
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
        left, right = value(node.left), value(node.right)
        return left + right if isinstance(node.op, ast.Add) else left - right if isinstance(node.op, ast.Sub) else left * right
    if isinstance(node, ast.Constant):
        return node.value
    raise SyntaxError("not of the game")


def score(answer, numbers, target):
    """1 for an expression with its result behind it, 1 more for a right one."""
    found = re.fullmatch(r"([\d+\-*]+)=(-?\d+)", re.sub(r"<\|\w+\|>", "", answer).strip())
    if found is None:
        return 0.0
    try:
        result = value(ast.parse(re.sub(r"\b0+(\d)", r"\1", found[1]), mode="eval").body)
    except SyntaxError:
        return 0.0
    used = sorted(int(n) for n in re.findall(r"\d+", found[1]))
    return 2.0 if used == sorted(numbers) and result == target == int(found[2]) else 1.0


def reward(prompts, completions, numbers, target, **_):
    return [score(*each) for each in zip(completions, numbers, target)]


class Rounds(TrainerCallback):
    """Waits for a line before every step and answers behind it."""

    def __init__(self):
        self.first = True

    def on_step_begin(self, args, state, control, **_):
        if self.first:
            print(json.dumps({"ready": 1}), file=figures, flush=True)
            self.first = False
        if not sys.stdin.readline():
            os._exit(0)
        self.since = time.perf_counter(), time.process_time()

    def on_step_end(self, args, state, control, **_):
        seconds, cpu = time.perf_counter() - self.since[0], time.process_time() - self.since[1]
        rollout, rollout_cpu = took["_generate"]
        scored, scored_cpu = took["_generate_and_score_completions"]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        figure = {"seconds": seconds, "cpu": cpu, "rollout": rollout, "rolloutCpu": rollout_cpu,
                  "update": seconds - scored, "updateCpu": cpu - scored_cpu, "peak": peak, "tokens": tokens[-1]}
        print(json.dumps(figure), file=figures, flush=True)


tokens = []


def counted(prompts, completion_ids, **_):
    """A reward of nothing that notes how long the answers are."""
    tokens.append(sum(map(len, completion_ids)) / len(completion_ids))
    return [0.0] * len(completion_ids)


for each in ("_generate", "_generate_and_score_completions"):
    timed(each)
tokenizer = AutoTokenizer.from_pretrained(options["model"])
tokenizer.eos_token, tokenizer.pad_token, tokenizer.padding_side = "<|end|>", "<|endoftext|>", "left"
model = AutoModelForCausalLM.from_pretrained(options["model"], dtype=torch.float32, attn_implementation="sdpa")
model.generation_config.eos_token_id = tokenizer.eos_token_id
model.generation_config.pad_token_id = tokenizer.pad_token_id
with open(options["prompts"]) as file:
    rows = [json.loads(line) for line in file]
for row in rows:
    row["prompt"] = tokenizer.apply_chat_template([{"role": "user", "content": row["prompt"]}], tokenize=False, add_generation_prompt=True)
with tempfile.TemporaryDirectory() as folder:
    config = GRPOConfig(
        output_dir=folder, per_device_train_batch_size=options["batch"] * options["group"], num_generations=options["group"],
        gradient_accumulation_steps=1, max_completion_length=options["answer"], temperature=1.0, top_k=0, learning_rate=1e-4,
        max_steps=10_000, beta=0.0, num_iterations=1, loss_type="grpo", lr_scheduler_type="constant", save_strategy="no",
        report_to=[], use_cpu=True, bf16=False, disable_tqdm=True, dataloader_num_workers=0, seed=7,
        # Faster without, and the memory is there.
        gradient_checkpointing=False, reward_weights=[1.0, 0.0])
    trainer = GRPOTrainer(model=model, reward_funcs=[reward, counted], args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    trainer.add_callback(Rounds())
    trainer.train()
