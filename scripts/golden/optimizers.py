"""Golden values of optimizers, gradient clipping and schedules: test/golden/optimizers.safetensors and schedules.json.

Of an optimizer's case: start/i (two parameters), grad/step/i (given, for six steps), param/step/i (after that step).
"""
import json
import os

import torch
from torch import optim, randn

from common import FOLDER, File

torch.manual_seed(20240503)
file = File('optimizers')
STEPS = 6
count = {}


def optimizer(name, **kwargs):
    count[name] = count.get(name, 0) + 1
    case = f'{name}.{count[name]}'
    parameters = [torch.nn.Parameter(randn(2, 3)), torch.nn.Parameter(randn(4))]
    # The second parameter is a group of its own with another learning rate.
    groups = [{'params': parameters[:1]}, {'params': parameters[1:], 'lr': 0.5 * kwargs['lr']}]
    stepper = getattr(optim, name)(groups, **kwargs)
    for i, parameter in enumerate(parameters):
        file.put(f'{case}/start/{i}', parameter)
    for step in range(STEPS):
        for i, parameter in enumerate(parameters):
            parameter.grad = randn(*parameter.shape)
            file.put(f'{case}/grad/{step}/{i}', parameter.grad)
        stepper.step()
        for i, parameter in enumerate(parameters):
            file.put(f'{case}/param/{step}/{i}', parameter)
    file.describe(case, optimizer=name, kwargs=kwargs, steps=STEPS, lr=[group['lr'] for group in groups])


optimizer('SGD', lr=0.1)
optimizer('SGD', lr=0.1, momentum=0.9)
optimizer('SGD', lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.01)
optimizer('SGD', lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.02)
optimizer('SGD', lr=0.1, maximize=True)
optimizer('Adam', lr=0.01)
optimizer('Adam', lr=0.05, betas=[0.8, 0.9], eps=1e-3, weight_decay=0.1)
optimizer('Adam', lr=0.01, amsgrad=True)
optimizer('AdamW', lr=0.01)
optimizer('AdamW', lr=0.05, betas=[0.7, 0.95], weight_decay=0.2, amsgrad=True)
optimizer('RMSprop', lr=0.01)
optimizer('RMSprop', lr=0.02, alpha=0.9, eps=1e-4, weight_decay=0.1, momentum=0.9)
optimizer('RMSprop', lr=0.02, centered=True, momentum=0.5)
optimizer('Adagrad', lr=0.1)
optimizer('Adagrad', lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.2, eps=1e-5)

for norm in [1.0, 2.0, float('inf')]:
    case = f'clip_grad_norm_.{norm}'
    parameters = [torch.nn.Parameter(randn(2, 3)), torch.nn.Parameter(randn(4))]
    for i, parameter in enumerate(parameters):
        parameter.grad = randn(*parameter.shape)
        file.put(f'{case}/grad/{i}', parameter.grad)
    total = torch.nn.utils.clip_grad_norm_(parameters, 0.7, norm)
    file.put(f'{case}/total', total)
    for i, parameter in enumerate(parameters):
        file.put(f'{case}/clipped/{i}', parameter.grad)
    file.describe(case, max_norm=0.7, norm_type=str(norm))
file.write()

# ---- schedules: the learning rate of each step, the first before any step of the schedule
schedules = []


def schedule(name, steps=12, metrics=None, momentum=False, **kwargs):
    stepper = optim.SGD([torch.nn.Parameter(randn(1))], lr=0.5, momentum=0.9)
    scheduler = getattr(optim.lr_scheduler, name)(stepper, **kwargs)
    rates, momenta = [], []
    for step in range(steps):
        rates.append(stepper.param_groups[0]['lr'])
        momenta.append(stepper.param_groups[0]['momentum'])
        stepper.step()
        scheduler.step(*([metrics[step]] if metrics else []))
    schedules.append({'schedule': name, 'lr': 0.5, 'kwargs': kwargs, 'rates': rates, **({'metrics': metrics} if metrics else {}), **({'momenta': momenta} if momentum else {})})


schedule('StepLR', step_size=3, gamma=0.5)
schedule('MultiStepLR', milestones=[2, 5, 9], gamma=0.3)
schedule('ExponentialLR', gamma=0.9)
schedule('CosineAnnealingLR', T_max=10, eta_min=0.01)
schedule('CosineAnnealingLR', T_max=4, steps=14)
schedule('CosineAnnealingWarmRestarts', T_0=3, T_mult=2, eta_min=0.02, steps=14)
schedule('LinearLR', start_factor=0.2, total_iters=5)
schedule('ConstantLR', factor=0.25, total_iters=4)
schedule('PolynomialLR', total_iters=8, power=2.0)
schedule('OneCycleLR', max_lr=1.0, total_steps=12, momentum=True)
schedule('OneCycleLR', max_lr=0.8, total_steps=12, pct_start=0.4, anneal_strategy='linear', three_phase=True, div_factor=10.0, final_div_factor=100.0, momentum=True)
schedule('CyclicLR', base_lr=0.1, max_lr=0.6, step_size_up=3, mode='triangular2', cycle_momentum=False)
schedule('ReduceLROnPlateau', factor=0.5, patience=1, metrics=[5, 4, 4, 4, 3.9999, 4, 4, 2, 2, 2, 2, 2])
schedule('ReduceLROnPlateau', mode='max', factor=0.1, patience=0, threshold=0.5, threshold_mode='abs', cooldown=2, min_lr=0.001, metrics=[1, 1.2, 2, 2.1, 2.2, 2.3, 2.4, 3, 2, 2, 2, 2])
path = os.path.join(FOLDER, 'schedules.json')
with open(path, 'w') as out:
    out.write(json.dumps({'torch': torch.__version__, 'schedules': schedules}, indent=1) + '\n')
print(path, os.path.getsize(path))
