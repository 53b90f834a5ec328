"""No adapter brings a framework along that is not used."""

import subprocess
import sys

FRAMEWORKS = ["lightning", "pytorch_lightning", "transformers", "accelerate", "timm", "torchvision", "kornia"]
DOORS = ["multimix", *(f"multimix.adapters{name}" for name in ("", ".collate", ".timm", ".torchvision"))]
CODE = f"""
import sys
for door in {DOORS}:
    __import__(door)
    print(door, sorted(set({FRAMEWORKS}) & set(sys.modules)))
"""


def test_no_framework_is_imported():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{door} []" for door in DOORS]
