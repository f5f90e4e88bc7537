"""The same shapes in PyTorch: does one round of work per line on standard input and prints its seconds as JSON."""
import json
import sys
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

job, options = sys.argv[1], json.loads(sys.argv[2])
torch.set_num_threads(options["threads"])
torch.manual_seed(1)
device = options["device"]
if device == "cuda" and not torch.cuda.is_available():
    print(json.dumps({"ready": 0}), flush=True)
    sys.exit(0)
torch.set_default_device(device)


def settle():
    if device == "cuda":
        torch.cuda.synchronize()


def model():
    keys = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "num_key_value_heads", "rms_norm_eps", "tie_word_embeddings", "max_position_embeddings")
    return LlamaForCausalLM(LlamaConfig(**{k: options["shape"][k] for k in keys}, attn_implementation=options.get("attention", "eager")))


def train():
    net = model()
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1)
    ids = (torch.arange(options["batch"] * options["length"]) * 7919 + 13).remainder(options["shape"]["vocab_size"])
    ids = ids.reshape(options["batch"], options["length"])

    def step():
        optimiser.zero_grad(set_to_none=True)
        loss = net(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()

    return step


def decode():
    net = model().eval()
    ids = torch.full((options["batch"], options["prompt"]), 5)
    state = {}

    def step():
        with torch.no_grad():
            if not state or state["n"] >= options["tokens"]:
                out = net(input_ids=ids, use_cache=True)
                state.update(past=out.past_key_values, n=0, last=out.logits[:, -1:].argmax(-1))
            out = net(input_ids=state["last"], past_key_values=state["past"], use_cache=True)
            state.update(past=out.past_key_values, n=state["n"] + 1, last=out.logits[:, -1:].argmax(-1))

    return step


step = {"train": train, "decode": decode}[job]()
for _ in range(options.get("warm", 2)):
    step()
settle()
print(json.dumps({"ready": 1}), flush=True)
for _ in sys.stdin:
    started = time.perf_counter()
    for _ in range(options.get("repeat", 1)):
        step()
    settle()
    print(json.dumps({"seconds": (time.perf_counter() - started) / options.get("repeat", 1)}), flush=True)
