"""From the published weights of TorchXRayVision to a release folder of ours; needs the `train` extra.

Cohen et al., TorchXRayVision: a library of chest X-ray datasets and models, MIDL 2022. The library itself is
not needed: its DenseNet-121 is the published one, which MONAI has.
"""
