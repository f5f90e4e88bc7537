"""Places a run's workers on a Ray cluster: one actor each, with a worker's process behind it, and carries messages between them.

The run starts this file and speaks with it over its standard streams, in packets: kind (1 byte), number (4), length (8), payload.
From the run: S start worker; P keep object; D drop object; C message for worker; O object for worker; K end worker.
To the run: A answer of worker, L worker lost with the reason, M what a worker's node lacks, E no cluster with the reason.
Restarts, places and objects are Ray's: an actor whose process or node is lost comes back elsewhere, and is begun anew.
"""
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

# Formats as texts: what an actor refers to has to travel.
HEADER = "<cIQ"
PREFIX = "<II"
MARK = 0x314C6F43
OUT = os.fdopen(os.dup(1), "wb")
# What Ray and others print is no packet.
os.dup2(2, 1)


def exactly(stream, count):
    data = stream.read(count)
    if len(data) < count:
        raise EOFError("it ended")
    return data


def message(stream):
    """One message of a worker, as it is: prefix, head, numbers."""
    prefix = exactly(stream, struct.calcsize(PREFIX))
    mark, length = struct.unpack(PREFIX, prefix)
    if mark != MARK:
        raise RuntimeError("what it wrote is no message")
    head = exactly(stream, length)
    return prefix + head + exactly(stream, 4 * sum(json.loads(head)["tensors"]))


class Worker:
    """Runs where Ray puts it."""

    def __init__(self, command):
        self.command = command
        self.child = None

    def begin(self):
        """Starts the process, in place of one that was there. What it takes lies at the same paths on every node."""
        for path in self.command:
            if os.path.isabs(path) and not os.path.exists(path):
                raise FileNotFoundError(json.dumps([socket.gethostname(), path]))
        if self.child is not None:
            self.child.kill()
        self.child = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return message(self.child.stdout)

    def call(self, data):
        if self.child is None:
            raise RuntimeError("Ray started it anew")
        try:
            self.child.stdin.write(data)
            self.child.stdin.flush()
            return message(self.child.stdout)
        except (EOFError, BrokenPipeError):
            raise RuntimeError(f"its process ended with code {self.child.wait()}") from None


class Bridge:
    def __init__(self, settings):
        self.settings = settings
        self.actors = {}
        self.made = 0
        self.objects = {}
        self.writing = threading.Lock()

    def send(self, kind, number, payload=b""):
        with self.writing:
            OUT.write(struct.pack(HEADER, kind, number, len(payload)))
            OUT.write(payload)
            OUT.flush()

    def actor(self, number):
        if number not in self.actors:
            cpus, gpus, place = (self.settings[key] for key in ("cpus", "gpus", "placement"))
            self.made += 1
            made = ray.remote(Worker).options(
                # As `ray list actors` shows it; no two may have the same, and one that ends has it a while longer.
                name=f"worker {number + 1} of job {ray.get_runtime_context().get_job_id()}, {self.made}",
                num_cpus=cpus,
                num_gpus=gpus,
                max_restarts=-1,
                scheduling_strategy="SPREAD" if place == "spread" else "DEFAULT",
            )
            self.actors[number] = made.remote(self.settings["command"])
        return self.actors[number]

    def begin(self, number):
        # Waits for a new place where Ray restarts the actor.
        actor = self.actor(number)
        self.ask(number, actor, actor.begin.options(max_task_retries=-1))

    def call(self, number, data):
        actor = self.actor(number)
        self.ask(number, actor, actor.call, data)

    def ask(self, number, actor, method, *arguments):
        kind, payload = self.found(method, arguments)
        # One that the run has ended is not waited for any more, and another may have its number.
        if self.actors.get(number) is not actor:
            return
        if kind == b"D":
            self.actors.pop(number)
            kind = b"L"
        self.send(kind, number, payload)

    def found(self, method, arguments):
        """What comes of asking an actor, as it is sent; D where there will be no actor any more."""
        try:
            return b"A", ray.get(method.remote(*arguments))
        except FileNotFoundError as error:
            return b"M", str(error.cause).encode()
        except ray.exceptions.ActorDiedError:
            return b"D", b"its actor was ended"
        except ray.exceptions.ActorUnavailableError:
            return b"L", b"its actor or its node was lost"
        except Exception as error:  # whatever it is, the run decides what follows
            return b"L", str(getattr(error, "cause", error)).strip().splitlines()[-1].encode()

    def end(self, number):
        actor = self.actors.pop(number, None)
        if actor is not None:
            ray.kill(actor)

    def serve(self, stream, pool):
        while True:
            try:
                kind, number, length = struct.unpack(HEADER, exactly(stream, struct.calcsize(HEADER)))
                payload = exactly(stream, length)
            except EOFError:
                return
            if kind == b"P":
                self.objects[number] = ray.put(payload)
            elif kind == b"D":
                self.objects.pop(number, None)
            elif kind == b"K":
                self.end(number)
            elif kind == b"S":
                pool.submit(self.begin, number)
            elif kind == b"C":
                pool.submit(self.call, number, payload)
            elif kind == b"O":
                pool.submit(self.call, number, self.objects[struct.unpack("<I", payload)[0]])


def probe(address):
    """Says what the cluster has, as one line of JSON, in place of packets."""
    import ray

    ray.init(address=address, namespace="cola", log_to_driver=False, logging_level="ERROR")
    nodes = sum(node["Alive"] for node in ray.nodes())
    has = ray.cluster_resources()
    OUT.write(json.dumps({"nodes": nodes, "cpus": has.get("CPU", 0), "gpus": has.get("GPU", 0)}).encode())
    OUT.flush()
    ray.shutdown()


def main():
    settings = json.loads(sys.argv[1])
    if settings.get("probe"):
        return probe(settings["address"])
    bridge = Bridge(settings)
    try:
        global ray
        import ray

        ray.init(address=settings["address"], namespace="cola", log_to_driver=False, logging_level="ERROR")
    except Exception as error:
        bridge.send(b"E", 0, f"{type(error).__name__}: {error}".encode())
        return
    with ThreadPoolExecutor(settings["workers"] + 2) as pool:
        bridge.serve(sys.stdin.buffer, pool)
        for number in list(bridge.actors):
            bridge.end(number)
    ray.shutdown()


if __name__ == "__main__":
    main()
