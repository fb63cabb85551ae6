"""The spec that `gradcheck init` prints: a small network, with every key of the format."""

from __future__ import annotations

STARTER = """\
# What a network computes, and what is known of it; `gradcheck verify FILE` checks its gradients.
# Lines that begin with # are examples of what can be added.
gradcheck: 1                 # the version of this format
name: a small classifier
seed: 0                      # of everything drawn at random below
# mode: eval                 # train (the default) or eval, as of a torch module

inputs:
  x: [[0.5, -1.0], [1.5, 0.25]]
  t: {value: [0, 2], dtype: int64}         # classes
  # r: {shape: [2, 3], init: normal_, std: 0.5}
  # z: {file: data.npz, key: z}            # .npy or .npz, beside this file

layers:                      # a chain, as in torch.nn; `gradcheck layers` lists what there is
- {name: fc1, type: Linear, in_features: 2, out_features: 3}
- {name: act, type: Tanh}
- "(fc2): Linear(in_features=3, out_features=3, bias=True)"   # as print(model) shows it

# A graph instead of a chain: names, what they compute and from what.
# nodes:
#   fc1: {type: Linear, inputs: x, in_features: 2, out_features: 3}
#   skip: {expr: "fc1 + tanh(fc1)"}

loss: {type: CrossEntropyLoss, target: t}
# output: fc2                # check another node than the loss

params:                      # those that are not given are drawn as torch draws them
  fc1.weight: [[0.1, -0.2], [0.3, 0.4], [-0.5, 0.6]]
  # fc2.weight: {init: xavier_uniform_, gain: 2}
  # fc2.bias: {file: data.npz, key: b}

# Ops of your own, with backward formulas to check; used in an expr:, or as a type.
# ops:
#   swish:
#     args: x
#     forward: "x*sigmoid(x)"
#     backward: {x: "g*(out + sigmoid(x)*(1 - out))"}

# Gradients derived by hand; d_fc2 is the upstream gradient of node fc2.
# backward:
#   fc2.bias: "sum(d_fc2, axis=0)"

# check: {wrt: [fc1.*, x]}   # only these gradients

# Numbers that must come out, right to the digits written or to rtol.
# expect:
#   loss: 1.3455
#   outputs: {fc2: [[-0.4117, 0.4934, -0.2061], [-0.5495, 0.2090, -0.1665]]}
#   grads: {fc2.bias: {value: [-0.28497, 0.49496, -0.20998], rtol: 1e-4}}
"""


def starter() -> str:
    """Return the spec, valid as it stands."""
    return STARTER
