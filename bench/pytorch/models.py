"""The trained works, as training.mjs defines them for Whetstone: the same modules, names, layouts and losses."""
import torch
from torch import nn
from torch.nn import functional as F


class Seq2Seq(nn.Module):
    def __init__(self, digits=10, hidden=256, layers=4):
        super().__init__()
        self.start = digits
        self.embedding = nn.Embedding(digits + 1, hidden)
        self.encoder = nn.GRU(hidden, hidden, layers, batch_first=True)
        self.decoder = nn.GRU(hidden, hidden, layers, batch_first=True)
        self.out = nn.Linear(hidden, digits)

    def forward(self, source, target):
        _, state = self.encoder(self.embedding(source))
        previous = F.pad(target[:, :-1], (1, 0), value=self.start)
        output, _ = self.decoder(self.embedding(previous), state)
        return F.nll_loss(F.log_softmax(self.out(output), -1).flatten(0, 1), target.flatten())


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, images, labels):
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(images)))), 2)
        return F.cross_entropy(self.fc2(F.relu(self.fc1(x.flatten(1)))), labels)


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, images, labels):
        return F.cross_entropy(self.fc2(F.relu(self.fc1(images))), labels)


class Bottleneck(nn.Module):
    def __init__(self, width_in, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        changes = stride != 1 or width_in != 4 * width
        self.downsample = nn.Sequential(nn.Conv2d(width_in, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)) if changes else None

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class ResNet50(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        blocks, width_in = [], 64
        for width, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for i in range(count):
                blocks.append(Bottleneck(width_in, width, stride if i == 0 else 1))
                width_in = 4 * width
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(width_in, classes)

    def forward(self, images, labels):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(images)), inplace=True), 3, 2, 1)
        return F.cross_entropy(self.fc(self.blocks(x).mean((2, 3))), labels)


MODELS = {"seq2seq": Seq2Seq, "cnn": Cnn, "mlp": Mlp, "resnet50": ResNet50}
OPTIMIZERS = {
    "adam": lambda parameters, lr, fused: torch.optim.Adam(parameters, lr=lr, fused=fused),
    "momentum": lambda parameters, lr, fused: torch.optim.SGD(parameters, lr=lr, momentum=0.9, fused=fused),
}
