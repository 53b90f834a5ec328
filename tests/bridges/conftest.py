"""Tests that need a framework of their own environment are left out where it is not installed."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from bridges.stand_in import stand_in_for_operators

os.environ["HF_HUB_OFFLINE"] = "1"
FRAMEWORKS = {"timm": "timm", "torchvision": "torchvision", "kornia": "kornia", "hugging_face": "transformers"}

stand_in_for_operators()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Collect test_<name>.py only beside its framework."""
    framework = FRAMEWORKS.get(collection_path.stem.removeprefix("test_"))
    return True if framework and find_spec(framework) is None else None
