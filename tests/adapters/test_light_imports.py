"""No adapter brings a framework along that is not used."""

import subprocess
import sys

FRAMEWORKS = ["lightning", "pytorch_lightning", "transformers", "accelerate", "timm", "torchvision", "kornia"]
NAMES = ["multimix", *(f"multimix.adapters{name}" for name in ("", ".collate", ".timm", ".torchvision"))]
CODE = f"""
import sys
for name in {NAMES}:
    __import__(name)
    print(name, sorted(set({FRAMEWORKS}) & set(sys.modules)))
"""


def test_no_framework_is_imported():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{name} []" for name in NAMES]
