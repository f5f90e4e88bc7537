"""Scalars of a folder as TensorBoard itself reads them. Takes a folder; writes one line of JSON: version, and of every tag its
[step, value]."""

import json
import sys

from tensorboard import version
from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.util import tensor_util

events = plugin_event_accumulator.EventAccumulator(
    sys.argv[1], tensor_size_guidance={plugin_event_accumulator.TENSORS: 0}
)
events.Reload()
scalars = {
    tag: [[event.step, tensor_util.make_ndarray(event.tensor_proto).item()] for event in events.Tensors(tag)]
    for tag in events.PluginTagToContent("scalars")
}
print(json.dumps({"version": version.VERSION, "scalars": scalars}))
