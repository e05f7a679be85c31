"""PyTorch's end of remote.mjs: answers, a JSON line each, what contestant.mjs answers for other backends.

A training step as a PyTorch user tunes it: gradients set to none, the fused optimizer where that is faster, NHWC
(channels_last) where that is faster. The quickest combination on this machine and these threads is found by trying.
"""
import json
import os
import resource
import sys
import time

begin = time.perf_counter()
import numpy
import torch
from models import MODELS, OPTIMIZERS

import_ms = 1000 * (time.perf_counter() - begin)
NUMPY = {"F32": numpy.float32, "I64": numpy.int64}


def read_safetensors(file):
    """Named tensors of a safetensors file: u64 length, JSON header, data."""
    data = numpy.fromfile(file, numpy.uint8)
    length = int(data[:8].view(numpy.uint64)[0])
    header = json.loads(data[8 : 8 + length].tobytes())
    header.pop("__metadata__", None)
    body = data[8 + length :]

    def tensor(entry):
        first, last = entry["data_offsets"]
        return torch.from_numpy(body[first:last].copy().view(NUMPY[entry["dtype"]]).reshape(entry["shape"]))

    return {name: tensor(entry) for name, entry in header.items()}


class Trainer:
    """A model from its first values, and its steps, with one choice of what may be tuned."""

    def __init__(self, training, nhwc, fused):
        self.model = MODELS[training["model"]]()
        missing, unexpected = self.model.load_state_dict(read_safetensors(training["weights"]), strict=False)
        if unexpected or any("num_batches_tracked" not in name for name in missing):
            raise ValueError(f"the weights do not fit: {missing} missing, {unexpected} unexpected")
        data = read_safetensors(training["data"])
        layout = torch.channels_last if nhwc else torch.contiguous_format
        self.model = self.model.to(memory_format=layout).train()
        arrange = lambda tensor: tensor.contiguous(memory_format=layout) if tensor.dim() == 4 else tensor
        self.inputs = [arrange(x) for x in data["inputs"].unbind(0)]
        self.targets = list(data["targets"].unbind(0))
        self.optimizer = OPTIMIZERS[training["optimizer"]](self.model.parameters(), training["lr"], fused)
        self.steps = 0

    def step(self):
        i, self.steps = self.steps, self.steps + 1
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.model(self.inputs[i % len(self.inputs)], self.targets[i % len(self.targets)])
        loss.backward()
        self.optimizer.step()
        return loss.item()


def timed(step, ms, least):
    times, end = [], time.perf_counter() + ms / 1000
    while True:
        start = time.perf_counter()
        step()
        now = time.perf_counter()
        times.append(1000 * (now - start))
        if len(times) >= least and now >= end:
            return times


class Peer:
    def describe(self, _):
        config = torch.__config__.show()
        onednn = next((line.split(" v")[1].split(" ")[0] for line in config.splitlines() if "MKL-DNN v" in line), None)
        with open("/proc/self/maps") as maps:
            libraries = {os.path.basename(line.split()[-1]) for line in maps if "/" in line}
        blas = sorted(name for name in libraries if "blas" in name or "mkl" in name)
        return {
            "version": torch.__version__,
            "oneDNN": onednn if torch.backends.mkldnn.is_available() else None,
            "blas": blas,
            "cpu": torch.backends.cpu.get_cpu_capability(),
        }

    def open(self, request):
        torch.set_num_threads(request["threads"])
        training = request["model"]["training"]
        choices = [(nhwc, fused) for nhwc in ((False, True) if training["images"] else (False,)) for fused in (True, False)]
        if not request["tuneMs"]:
            choices = choices[:1]
        start = time.perf_counter()
        best = None
        for nhwc, fused in choices:
            trainer = Trainer(training, nhwc, fused)
            losses = [trainer.step() for _ in range(training["losses"])]
            taken = min(timed(trainer.step, request["tuneMs"], 1)) if len(choices) > 1 else 0
            if best is None or taken < best[0]:
                best = (taken, trainer, losses, f"{'channels_last' if nhwc else 'contiguous'}, {'fused' if fused else 'plain'} optimizer")
        _, self.trainer, self.losses, note = best
        opened = time.perf_counter()
        return {"importMs": import_ms, "openMs": 1000 * (opened - start), "firstRunMs": 0, "note": note}

    def outputs(self, _):
        return {"loss": self.losses}

    def round(self, request):
        times = timed(self.trainer.step, request["ms"], request["minIterations"])
        return {"times": times, "rested": self.rest()}

    def rest(self):
        """Waits until this process leaves the cores to the next: OpenMP's threads spin for a while."""
        for _ in range(100):
            before = time.process_time()
            time.sleep(0.01)
            if time.process_time() - before < 0.001:
                return True
        return False

    def memory(self, _):
        with open("/proc/self/status") as status:
            return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))

    def usage(self, _):
        used = resource.getrusage(resource.RUSAGE_SELF)
        return 1000 * (used.ru_utime + used.ru_stime)


def main():
    # Whatever a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer = Peer()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": getattr(peer, request["task"])(request.get("payload"))}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


main()
