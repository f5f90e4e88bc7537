"""OpenAI's package for Python against a server, with what it is asked for. Takes one object of JSON: address (…/v1), key, prompt,
messages. Writes one line of JSON with what came back."""

import json
import sys

import openai

asked = json.load(sys.stdin)
client = openai.OpenAI(base_url=asked["address"], api_key=asked["key"], max_retries=0)
given = {"model": "nano", "temperature": 0, "max_tokens": 8}

whole = client.completions.create(prompt=asked["prompt"], **given)
pieces = list(client.completions.create(prompt=asked["prompt"], stream=True, **given))
echoed = client.completions.create(model="nano", prompt=asked["prompt"], max_tokens=0, echo=True, logprobs=1)
pinned = client.completions.create(prompt=asked["prompt"], extra_body={"latent_actions": True, "pin": [9, 4]}, **given)
chat = client.chat.completions.create(messages=asked["messages"], **given)
parts = list(
    client.chat.completions.create(
        messages=asked["messages"], stream=True, stream_options={"include_usage": True}, **given
    )
)
try:
    openai.OpenAI(base_url=asked["address"], api_key="another", max_retries=0).models.list()
    refused = "nothing"
except openai.AuthenticationError as error:
    refused = error.code

print(
    json.dumps(
        {
            "version": openai.__version__,
            "models": [model.id for model in client.models.list()],
            "text": whole.choices[0].text,
            "completionTokens": whole.usage.completion_tokens,
            "streamed": "".join(piece.choices[0].text for piece in pieces),
            "tokens": echoed.choices[0].logprobs.tokens,
            "logprobs": echoed.choices[0].logprobs.token_logprobs,
            "actions": pinned.choices[0].model_extra["latent_actions"],
            "answer": chat.choices[0].message.content,
            "answerStreamed": "".join(part.choices[0].delta.content or "" for part in parts if part.choices),
            "answerTokens": parts[-1].usage.completion_tokens,
            "refused": refused,
        }
    )
)
