"""`several_runs.py FOLDER PROTOCOL`: runs of a study at a time, beside the same one after the other, as JSON.

It forks, as nothing with threads should: a test starts it.
"""

import json
import sys
from pathlib import Path

from experiments.frontier import parallel
from experiments.frontier.protocol import Protocol
from experiments.frontier.records import Records
from experiments.frontier.stages import Study, one_thread
from multimix.lab.data import open_data


def quiet(line):
    """Say nothing."""


def main():
    """Compare."""
    one_thread()
    folder, data = Path(sys.argv[1]), open_data("digits")
    given = json.loads(sys.argv[2])
    protocol = Protocol(**{key: tuple(value) if isinstance(value, list) else value for key, value in given.items()})
    one = Study(protocol, data, folder / "one", quiet)
    one.finish(one.tune())
    found = {}
    parallel.WARM, parallel.TIMED = 5, 10
    try:
        parallel.Together(Study(protocol, data, folder / "two", quiet, minutes=0), 2, "a card").tune()
    except TimeoutError as error:
        found["late"] = str(error)
    timed = (folder / "two" / "alone.json").read_text()
    together = parallel.Together(Study(protocol, data, folder / "two", quiet), 2, "another card")
    together.tune()
    together.finish()
    first, second = (Records(folder / name).all for name in ("one", "two"))
    updates = {arm.name: arm.updates for arm in protocol.arms()}
    found["same runs"] = first.keys() == second.keys()
    found["same samples wrong"] = all(first[key].wrong == second[key].wrong for key in first)
    found["times of updates"] = all(
        run.time_s == run.length * updates[run.arm] * together.update_s[run.arm] for run in second.values()
    )
    found["logits"] = [sorted(file.name for file in (folder / name / "logits").iterdir()) for name in ("one", "two")]
    found["timed once"] = (folder / "two" / "alone.json").read_text() == timed
    broken = parallel.Together(Study(protocol, data, folder / "three", quiet), 2, "a card")
    trained = Study.trained
    Study.trained = lambda study, arm, *rest: 1 / 0 if arm.name == "mixup K=1" else trained(study, arm, *rest)
    try:
        broken.tune()
    except ZeroDivisionError as error:
        found["failed"] = " ".join(error.__notes__)
    found["recorded beside the failed one"] = len(Records(folder / "three").all)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
