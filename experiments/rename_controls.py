"""Write committed results in the words of docs/concepts.md, "Controls": same rows, same pairs, same images, K × batch.

    python experiments/rename_controls.py            # says what it renamed; nothing is left to rename the second time
    python experiments/rename_controls.py --check COMMIT  # only names differ from the results of that commit

Results are read and written as text, so numbers stay as they are to the last digit.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("experiments/results", "examples/results")
NAMES = {
    "equal-compute": "same-rows",
    "equal-pairs": "same-pairs",
    "equal-epochs": "same-images",
    "large-batch": "k-batch",
    "equal_rows": "same_rows",
    "equal_pairs": "same_pairs",
    "at equal compute": "with the same rows",
    "equal compute": "same rows",
    "equal pairs": "same pairs",
    "Equal pairs": "Same pairs",
}
OLD = re.compile("|".join(rf"\b{name}\b" for name in NAMES))


def renamed(text: str) -> tuple[str, int]:
    """Return a text in the words of today, and how many were replaced."""
    return OLD.subn(lambda found: NAMES[found[0]], text)


def restored(text: str) -> str:
    """Return a text in the words of before."""
    for old, new in NAMES.items():
        text = re.sub(rf"\b{new}\b", old, text)
    return text


def main() -> None:
    """Rename, or check what was renamed."""
    if sys.argv[1:2] == ["--check"]:
        return check(sys.argv[2])
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix not in (".json", ".md"):
                continue
            text, count = renamed(file.read_text())
            if count:
                file.write_text(text)
                print(f"{file.relative_to(ROOT)}: {count} names")
    return None


def check(commit: str) -> None:
    """Compare every results file with that of a commit, with today's names mapped back."""
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.json")):
            name = str(file.relative_to(ROOT))
            before = subprocess.run(["git", "show", f"{commit}:{name}"], cwd=ROOT, capture_output=True, check=True)
            same = json.loads(restored(file.read_text())) == json.loads(before.stdout)
            print(f"{name}: {'only names differ' if same else 'MORE THAN NAMES DIFFER'}")


if __name__ == "__main__":
    main()
