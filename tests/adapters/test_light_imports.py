"""No adapter brings a framework along that is not used."""

import subprocess
import sys

import pytest

FRAMEWORKS = ["lightning", "pytorch_lightning", "transformers", "accelerate", "timm", "torchvision", "kornia"]
NAMES = ["multimix", *(f"multimix.adapters{name}" for name in ("", ".collate", ".timm", ".torchvision"))]
CODE = f"""
import sys
for name in {NAMES}:
    __import__(name)
    print(name, sorted(set({FRAMEWORKS}) & set(sys.modules)))
from multimix.adapters import *
print(MixCollate, MixTransform, sorted(set({FRAMEWORKS}) & set(sys.modules)))
"""


def test_no_framework_is_imported():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    *lines, short = done.stdout.splitlines()
    assert lines == [f"{name} []" for name in NAMES]
    assert "collate.MixCollate" in short
    assert "torchvision.MixTransform" in short
    assert short.endswith("[]")


def test_names_that_are_not_here_say_where_they_are():
    from multimix import adapters

    assert {"MixCollate", "MixTransform"} <= set(dir(adapters))
    for name, home in (("MixBatch", "lightning or multimix.adapters.fastai"), ("MixTrainer", "hugging_face")):
        with pytest.raises(
            AttributeError, match=f"{name} must be imported .*; import it from multimix.adapters.{home}"
        ):
            getattr(adapters, name)
    with pytest.raises(AttributeError, match="has no attribute 'MixColate'"):
        adapters.MixColate  # noqa: B018
