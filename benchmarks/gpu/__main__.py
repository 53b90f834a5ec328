"""`python -m benchmarks.gpu`: without a GPU, Triton's kernels run in its interpreter, if there is Triton."""

import importlib.util
import os
import sys

import torch

if not torch.cuda.is_available() and importlib.util.find_spec("triton") is not None:
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when a kernel is imported
    os.environ.setdefault("MULTIMIX_KERNELS", "triton")
    from benchmarks.interpreter import patch_once

    patch_once()

from benchmarks.gpu.main import main

sys.exit(main())
