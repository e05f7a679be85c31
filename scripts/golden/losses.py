"""Golden values of losses: test/golden/losses.safetensors; a weight is in kwargs as the number of the state's tensor."""
import torch
from torch import nn, rand, randn

from common import File, record

torch.manual_seed(20240502)
file = File('losses')
count = {}


def loss(name, *inputs, **kwargs):
    count[name] = count.get(name, 0) + 1
    tensors = {key: value for key, value in kwargs.items() if isinstance(value, torch.Tensor)}
    plain = {key: value for key, value in kwargs.items() if key not in tensors}
    # Weights are buffers of the module, so they are among its state by their argument's name.
    record(file, f'{name}.{count[name]}', getattr(nn, name)(**kwargs), inputs, args=[], kwargs=plain, weights=list(tensors))


def classes(n, *shape):
    return torch.randint(n, shape)


for reduction in ['mean', 'sum', 'none']:
    loss('CrossEntropyLoss', randn(5, 4), classes(4, 5), reduction=reduction)
    loss('CrossEntropyLoss', randn(5, 4), torch.tensor([1, 3, -100, 0, 2]), reduction=reduction, weight=rand(4) + 0.5, label_smoothing=0.1)
    loss('NLLLoss', randn(5, 4).log_softmax(1), classes(4, 5), reduction=reduction, weight=rand(4) + 0.5)
    for name in ['MSELoss', 'L1Loss', 'SmoothL1Loss', 'HuberLoss']:
        loss(name, randn(3, 4), randn(3, 4), reduction=reduction)
    loss('BCELoss', rand(3, 4) * 0.9 + 0.05, rand(3, 4), reduction=reduction)
    loss('BCEWithLogitsLoss', randn(3, 4) * 4, rand(3, 4), reduction=reduction)
    loss('CTCLoss', randn(6, 3, 5).log_softmax(2), torch.tensor([[1, 2, 2], [3, 4, 0], [1, 0, 0]]), torch.tensor([6, 5, 4]), torch.tensor([3, 2, 1]), reduction=reduction)
for reduction in ['mean', 'sum', 'none', 'batchmean']:
    loss('KLDivLoss', randn(3, 4).log_softmax(1), randn(3, 4).softmax(1), reduction=reduction)
loss('KLDivLoss', randn(3, 4).log_softmax(1), randn(3, 4).log_softmax(1), reduction='batchmean', log_target=True)
loss('CrossEntropyLoss', randn(2, 4, 3), classes(4, 2, 3))
loss('CrossEntropyLoss', randn(2, 4, 3, 2), classes(4, 2, 3, 2), ignore_index=1)
loss('CrossEntropyLoss', randn(3, 4), randn(3, 4).softmax(1), label_smoothing=0.2)
loss('NLLLoss', randn(2, 4, 3).log_softmax(1), classes(4, 2, 3), ignore_index=2)
loss('SmoothL1Loss', randn(3, 4), randn(3, 4), beta=0.4)
loss('HuberLoss', randn(3, 4), randn(3, 4), delta=0.4)
loss('BCELoss', rand(3, 4) * 0.9 + 0.05, rand(3, 4), weight=rand(4))
loss('BCEWithLogitsLoss', randn(3, 4), rand(3, 4), pos_weight=rand(4) + 0.5, weight=rand(4))
loss('CTCLoss', randn(4, 2, 3).log_softmax(2), torch.tensor([[1, 1, 2], [1, 2, 0]]), torch.tensor([3, 4]), torch.tensor([3, 2]), zero_infinity=True)
loss('CTCLoss', randn(5, 2, 4).log_softmax(2), torch.tensor([0, 2, 1]), torch.tensor([5, 5]), torch.tensor([2, 1]), blank=3)
loss('CosineEmbeddingLoss', randn(4, 3), randn(4, 3), torch.tensor([1, -1, 1, -1]), margin=0.2)
file.write()
