"""Tests that need a framework with an environment of its own are left out where it is not installed."""

import os
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

FRAMEWORKS = {"timm": "timm", "torchvision": "torchvision", "hugging_face": "transformers", "fastai": "fastai"}
FRAMEWORKS |= {name: name for name in ("accelerate", "skorch", "keras")}

if find_spec("transformers") is not None:
    os.environ["HF_HUB_OFFLINE"] = "1"  # nothing here needs the network
if find_spec("keras") is not None:
    os.environ["KERAS_BACKEND"] = "torch"
if find_spec("torchvision") is not None:
    from bridges.stand_in import stand_in_for_operators

    stand_in_for_operators()
if find_spec("fastai") is not None:
    with warnings.catch_warnings():  # it scripts functions while it is imported, which torch calls outdated
        warnings.simplefilter("ignore")
        import fastai.callback.progress  # noqa: F401


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Collect test_<name>.py only beside its framework."""
    framework = FRAMEWORKS.get(collection_path.stem.removeprefix("test_"))
    return True if framework and find_spec(framework) is None else None
