"""lm-eval and its client for completions, as they are, on a task of multiple choice: the log-likelihood of every choice.

Takes one object of JSON: address (…/v1/completions), model, tokenizer (a folder), rows (a file of JSON lines with context, choices
and answer), batch (requests that go out together). Writes one line: version, accuracy, items, and the requests that were sent.
"""

import json
import os
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

import lm_eval
from lm_eval.models.openai_completions import LocalCompletionsAPI
from lm_eval.tasks import TaskManager

asked = json.load(sys.stdin)
sent = []


class Client(LocalCompletionsAPI):
    """Keeps what it sends."""

    def _create_payload(self, *given, **named):
        payload = super()._create_payload(*given, **named)
        sent.append(payload)
        return payload


with tempfile.TemporaryDirectory() as folder:
    task = {
        "task": "choices",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": asked["rows"]}, "cache_dir": folder},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{context}}",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "{{answer}}",
        "target_delimiter": "",
        "metric_list": [{"metric": "acc"}],
    }
    client = Client(
        model=asked["model"],
        base_url=asked["address"],
        tokenizer=asked["tokenizer"],
        tokenizer_backend="huggingface",
        batch_size=asked["batch"],
        max_length=512,
    )
    found = lm_eval.simple_evaluate(
        model=client, tasks=[task], task_manager=TaskManager(), log_samples=True, bootstrap_iters=0
    )

items = []
for sample in sorted(found["samples"]["choices"], key=lambda sample: sample["doc_id"]):
    for (context, continuation), answer in zip(sample["arguments"], sample["resps"]):
        logp, greedy = answer[0]
        items.append({"context": context, "continuation": continuation, "logp": float(logp), "greedy": bool(greedy)})
accuracy = float(found["results"]["choices"]["acc,none"])
print(json.dumps({"version": lm_eval.__version__, "accuracy": accuracy, "items": items, "sent": sent}))
