"""Golden values of layers: test/golden/layers.safetensors. Run with Debian's python3-torch: /usr/bin/python3 scripts/golden/layers.py"""
import torch
from torch import nn, randn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from common import File, record

torch.manual_seed(20240501)
file = File('layers')
count = {}


def layer(name, *args, inputs, train=True, call=None, note=None, **kwargs):
    """One case, called after its class and a number; parameters of norms are made other than ones and zeros."""
    count[name] = count.get(name, 0) + 1
    module = getattr(nn, name)(*args, **kwargs)
    for parameter in module.parameters():
        if parameter.dim() == 1:
            nn.init.uniform_(parameter, 0.2, 1.2)
    for key, buffer in module.named_buffers():
        if buffer.is_floating_point():
            nn.init.uniform_(buffer, 0.5, 1.5)
    what = {'args': [list(a) if isinstance(a, tuple) else a for a in args], 'kwargs': kwargs}
    if note is not None:
        what.update(note)
    record(file, f'{name}.{count[name]}', module, inputs, (lambda *i: call(module, *i)) if call else None, train, **what)


layer('Linear', 5, 3, inputs=[randn(2, 4, 5)])
layer('Linear', 3, 2, bias=False, inputs=[randn(4, 3)])
layer('Conv1d', 2, 4, 3, stride=2, padding=1, inputs=[randn(2, 2, 8)])
layer('Conv2d', 3, 4, 3, padding=1, inputs=[randn(2, 3, 5, 4)])
layer('Conv2d', 4, 6, (3, 2), stride=(2, 1), dilation=(1, 2), groups=2, bias=False, inputs=[randn(2, 4, 7, 6)])
layer('Conv2d', 3, 3, 3, groups=3, padding=1, stride=2, inputs=[randn(1, 3, 6, 5)])
layer('Conv2d', 2, 3, 3, padding='same', inputs=[randn(1, 2, 4, 5)])
layer('Conv2d', 2, 2, 3, padding=1, padding_mode='reflect', inputs=[randn(1, 2, 4, 4)])
layer('Conv2d', 2, 2, 3, padding=1, padding_mode='circular', inputs=[randn(1, 2, 4, 4)])
layer('Conv3d', 1, 2, 2, stride=(1, 2, 1), inputs=[randn(1, 1, 3, 4, 3)])
layer('ConvTranspose1d', 2, 3, 4, stride=2, padding=1, inputs=[randn(2, 2, 4)])
layer('ConvTranspose2d', 3, 2, 3, stride=2, padding=1, output_padding=1, inputs=[randn(2, 3, 3, 4)])
layer('ConvTranspose2d', 4, 4, 2, groups=2, dilation=2, bias=False, inputs=[randn(1, 4, 3, 3)])

layer('MaxPool1d', 2, inputs=[randn(2, 3, 7)])
layer('MaxPool2d', 3, 2, 1, inputs=[randn(2, 2, 7, 6)])
layer('MaxPool2d', 2, stride=2, dilation=2, ceil_mode=True, inputs=[randn(1, 2, 6, 7)])
layer('AvgPool1d', 3, stride=2, inputs=[randn(2, 2, 8)])
layer('AvgPool2d', 2, inputs=[randn(2, 2, 4, 5)])
layer('AvgPool2d', 3, 2, 1, ceil_mode=True, count_include_pad=False, inputs=[randn(1, 2, 6, 7)])
layer('AvgPool2d', 3, 2, 1, ceil_mode=True, inputs=[randn(1, 2, 6, 6)])
layer('AdaptiveAvgPool2d', 1, inputs=[randn(2, 3, 4, 5)])
layer('AdaptiveAvgPool2d', (3, 2), inputs=[randn(1, 2, 7, 5)])
layer('AdaptiveMaxPool2d', (2, 3), inputs=[randn(1, 2, 5, 7)])

layer('BatchNorm1d', 4, inputs=[randn(6, 4)])
layer('BatchNorm1d', 4, eps=1e-3, momentum=0.3, inputs=[randn(3, 4, 5)])
layer('BatchNorm2d', 3, inputs=[randn(2, 3, 4, 3)])
layer('BatchNorm2d', 3, train=False, inputs=[randn(2, 3, 4, 3)])
layer('BatchNorm2d', 3, affine=False, inputs=[randn(2, 3, 3, 3)])
layer('BatchNorm2d', 3, momentum=None, inputs=[randn(2, 3, 3, 3)])
layer('LayerNorm', 6, inputs=[randn(2, 3, 6)])
layer('LayerNorm', (3, 4), eps=1e-3, inputs=[randn(2, 3, 4)])
layer('LayerNorm', 4, elementwise_affine=False, inputs=[randn(3, 4)])
layer('GroupNorm', 2, 4, inputs=[randn(2, 4, 3, 2)])
layer('InstanceNorm2d', 3, affine=True, inputs=[randn(2, 3, 3, 4)])

for name, args in [
    ('ReLU', []), ('LeakyReLU', [0.1]), ('PReLU', [3]), ('ELU', [1.3]), ('SELU', []), ('CELU', [0.7]), ('SiLU', []), ('Mish', []), ('Softplus', []),
    ('Softplus', [2]), ('Sigmoid', []), ('LogSigmoid', []), ('Tanh', []), ('Hardtanh', []), ('ReLU6', []), ('Hardswish', []), ('Hardsigmoid', []),
    ('Softsign', []), ('Tanhshrink', []), ('Softshrink', [0.3]), ('Hardshrink', [0.3]), ('Threshold', [0.1, 0.2]), ('Softmax', [1]), ('LogSoftmax', [1]),
    ('Softmin', [1]),
]:
    layer(name, *args, inputs=[randn(2, 3, 4) * 3])
layer('GELU', inputs=[randn(3, 4) * 2])
layer('GELU', approximate='tanh', inputs=[randn(3, 4) * 2])
layer('GLU', 1, inputs=[randn(2, 4, 3)])

layer('Embedding', 7, 3, inputs=[torch.tensor([[1, 6, 1], [0, 2, 1]])])
layer('Embedding', 5, 2, padding_idx=0, inputs=[torch.tensor([0, 3, 4, 0, 3])])

layer('RNNCell', 3, 4, inputs=[randn(2, 3), randn(2, 4)])
layer('RNNCell', 3, 4, nonlinearity='relu', bias=False, inputs=[randn(2, 3), randn(2, 4)])
layer('LSTMCell', 3, 4, inputs=[randn(2, 3), randn(2, 4), randn(2, 4)], call=lambda m, x, h, c: m(x, (h, c)))
layer('GRUCell', 3, 4, inputs=[randn(2, 3), randn(2, 4)])
layer('RNN', 3, 4, 2, inputs=[randn(5, 2, 3), randn(2, 2, 4)])
layer('LSTM', 3, 4, inputs=[randn(5, 2, 3)])
layer('LSTM', 3, 4, 2, batch_first=True, bidirectional=True, inputs=[randn(2, 5, 3), randn(4, 2, 4), randn(4, 2, 4)], call=lambda m, x, h, c: m(x, (h, c)))
layer('LSTM', 3, 4, proj_size=2, inputs=[randn(3, 2, 3)])
layer('GRU', 3, 4, inputs=[randn(5, 2, 3)])
layer('GRU', 3, 4, 2, bidirectional=True, bias=False, inputs=[randn(5, 2, 3), randn(4, 2, 4)])


def packed(lengths):
    def call(module, x, *state):
        output, *rest = module(pack_padded_sequence(x, lengths, enforce_sorted=False), *state)
        return [pad_packed_sequence(output)[0], *rest]
    return call


layer('GRU', 3, 4, 2, bidirectional=True, inputs=[randn(5, 3, 3)], call=packed([3, 5, 1]), note={'lengths': [3, 5, 1]})
layer('LSTM', 3, 4, inputs=[randn(4, 3, 3)], call=packed([4, 2, 3]), note={'lengths': [4, 2, 3]})

layer('MultiheadAttention', 8, 2, batch_first=True, inputs=[randn(2, 3, 8), randn(2, 5, 8), randn(2, 5, 8)])
mask = torch.tensor([[False, False, False, True], [False, True, False, False]])
layer('MultiheadAttention', 6, 3, batch_first=True, kdim=4, vdim=5, inputs=[randn(2, 3, 6), randn(2, 4, 4), randn(2, 4, 5), mask],
      call=lambda m, q, k, v, mask: m(q, k, v, key_padding_mask=mask), note={'names': ['query', 'key', 'value', 'key_padding_mask']})
causal = torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)
layer('MultiheadAttention', 4, 2, inputs=[*[randn(4, 2, 4) for _ in range(3)], causal],
      call=lambda m, q, k, v, mask: m(q, k, v, attn_mask=mask, need_weights=False)[0], note={'names': ['query', 'key', 'value', 'attn_mask']})
layer('TransformerEncoderLayer', 8, 2, 16, dropout=0.0, batch_first=True, inputs=[randn(2, 3, 8)])
layer('TransformerEncoderLayer', 8, 2, 16, dropout=0.0, activation='gelu', norm_first=True, inputs=[randn(3, 2, 8)])

layer('Upsample', scale_factor=2, mode='nearest', inputs=[randn(1, 2, 3, 2)])
layer('Upsample', size=[5, 4], mode='bilinear', align_corners=False, inputs=[randn(1, 2, 3, 2)])
layer('Upsample', scale_factor=2, mode='bilinear', align_corners=True, inputs=[randn(1, 2, 3, 2)])
layer('Upsample', size=[5, 7], mode='bicubic', align_corners=False, inputs=[randn(1, 1, 4, 4)])
layer('PixelShuffle', 2, inputs=[randn(1, 4, 2, 3)])
layer('PixelUnshuffle', 2, inputs=[randn(1, 1, 4, 6)])
layer('ZeroPad2d', (1, 2, 0, 1), inputs=[randn(1, 2, 3, 2)])
layer('ReflectionPad2d', (1, 2, 2, 1), inputs=[randn(1, 2, 3, 4)])
layer('ReplicationPad2d', (1, 2, 0, 1), inputs=[randn(1, 2, 3, 2)])
layer('CosineSimilarity', 1, inputs=[randn(3, 4), randn(3, 4)])
# At the end, so that those before it draw what they drew before.
layer('BatchNorm3d', 3, inputs=[randn(2, 3, 2, 3, 2)])
file.write()
