"""The same training as a PyTorch user writes it: nn.Module, autograd, stock torch.optim, hooks around its step.

It shares the experiment and the data with the reference, but none of its mathematics.
Read it in this order: network, l1 (one place for each style), rounding, train.
"""
