"""What the golden scripts share: a recorder of PyTorch modules, and a writer of safetensors.

A file holds cases. Of the case `name` the metadata has a JSON text (module, args, kwargs, train, ...), and the tensors are
    name/input/0, name/state/weight           what goes in: operands, and parameters and buffers by PyTorch's names
    name/output/0, name/cotangent/0           what came out, and the weights with which outputs were summed to be differentiated
    name/grad/input/0, name/grad/state/weight the gradients of that sum
    name/after/running_mean                   buffers that changed
All floats are float64, so that agreement can be asked for to the last digits but a few.
"""
import json
import os
import struct

import torch

torch.set_default_dtype(torch.float64)
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'test', 'golden')
NAMES = {torch.float64: 'F64', torch.int64: 'I64', torch.bool: 'BOOL'}


class File:
    def __init__(self, name):
        self.path = os.path.join(FOLDER, name + '.safetensors')
        self.tensors = {}
        self.metadata = {'torch': torch.__version__}

    def put(self, key, tensor):
        assert key not in self.tensors, key
        # At the time: what a later step changes in place is a copy here.
        self.tensors[key] = tensor.detach().clone().contiguous()

    def describe(self, case, **what):
        assert case not in self.metadata, case
        self.metadata[case] = json.dumps(what)

    def write(self):
        header, chunks, at = {'__metadata__': self.metadata}, [], 0
        # The widest elements first, so that every tensor is aligned.
        for key, tensor in sorted(self.tensors.items(), key=lambda item: -item[1].element_size()):
            data = tensor.numpy().tobytes()
            header[key] = {'dtype': NAMES[tensor.dtype], 'shape': list(tensor.shape), 'data_offsets': [at, at + len(data)]}
            chunks.append(data)
            at += len(data)
        text = json.dumps(header, separators=(',', ':')).encode()
        text += b' ' * (-len(text) % 8)
        with open(self.path, 'wb') as file:
            file.write(struct.pack('<Q', len(text)) + text + b''.join(chunks))
        print(self.path, os.path.getsize(self.path))


def flat(results):
    """The tensors of what a module returns, in order."""
    if results is None:
        return []
    if isinstance(results, torch.Tensor):
        return [results]
    return [tensor for result in results for tensor in flat(result)]


def record(file, case, module, inputs, call=None, train=True, **what):
    """Runs a module (or `call` on it) and differentiates a weighted sum of its outputs."""
    module.train(train)
    for key, tensor in module.state_dict().items():
        file.put(f'{case}/state/{key}', tensor)
    before = {key: tensor.clone() for key, tensor in module.named_buffers()}
    inputs = [i.clone().requires_grad_() if isinstance(i, torch.Tensor) and i.is_floating_point() else i for i in inputs]
    for i, value in enumerate(inputs):
        if isinstance(value, torch.Tensor):
            file.put(f'{case}/input/{i}', value)
    outputs = flat((call or module)(*inputs))
    total = 0
    for i, output in enumerate(outputs):
        file.put(f'{case}/output/{i}', output)
        if output.requires_grad:
            cotangent = torch.randn_like(output)
            file.put(f'{case}/cotangent/{i}', cotangent)
            total = total + (output * cotangent).sum()
    total.backward()
    for i, value in enumerate(inputs):
        if isinstance(value, torch.Tensor) and value.grad is not None:
            file.put(f'{case}/grad/input/{i}', value.grad)
    for key, parameter in module.named_parameters():
        if parameter.grad is not None:
            file.put(f'{case}/grad/state/{key}', parameter.grad)
    for key, tensor in module.named_buffers():
        if not torch.equal(tensor, before[key]):
            file.put(f'{case}/after/{key}', tensor)
    file.describe(case, module=type(module).__name__, train=train, **what)
