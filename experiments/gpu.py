"""python -m experiments.gpu PROTOCOL.yaml --data-root DIR [--minutes 9] [--workers 1] [--out DIR]

A data set of study F on a GPU: in bfloat16, the data on the device. It stops after some minutes, and the same command
goes on: the records of all calls make one study. `--workers 14` does so many runs at a time (frontier/parallel.py).
`--tiny` tries the program on digits, on whatever device there is, in seconds.

Protocols: frontier/cifar500labels.yaml, and frontier/cifar10gpu.yaml, all of CIFAR-10; frontier/README.md says what is
concluded from what. Needs torch, numpy, numba and PyYAML, not the program's own command line.
"""

import argparse
import os
import platform
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import torch

from experiments.frontier.parallel import Together, check
from experiments.frontier.protocol import Protocol
from experiments.frontier.samples import in_memory
from experiments.frontier.stages import Study
from multimix.lab.data import open_data

HERE = Path(__file__).parent
TINY = {
    **{"data": "digits", "data_options": {}, "model": "mlp", "model_options": {}, "localization": False},
    **{"labels_per_class": 20, "validation": 100, "test": 200, "batch_size": 20},
    **{"first_length": 2, "lengths": 2, "final_seeds": 1},
}


def _device() -> tuple[str, str]:
    """Return the kind of device and its name. A process that has asked for a GPU cannot share it with its children."""
    if torch.cuda.is_available():
        return "cuda", torch.cuda.get_device_name()
    return "cpu", platform.processor() or "CPU"


def main() -> None:
    """Do as much of the study as the minutes allow."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("protocol", type=Path, help="a .yaml file of experiments/frontier")
    parser.add_argument("--data-root", help="folder that holds cifar10/{train,test}/CLASS or a published layout")
    parser.add_argument("--minutes", type=float, default=9.0, help="no run is begun after these")
    parser.add_argument("--workers", type=int, default=1, help="runs at a time")
    parser.add_argument("--out", type=Path, help="folder of the records (default: results/frontier-NAME)")
    parser.add_argument("--tiny", action="store_true", help="digits and a small network, to try the program")
    given = parser.parse_args()
    if given.workers < 1:
        parser.error(f"--workers must be 1 or more, got --workers={given.workers}")
    protocol = Protocol.read(given.protocol)
    try:
        check(protocol)
    except ValueError as error:
        parser.error(str(error))
    out = given.out or HERE / "results" / f"frontier-{protocol.name}"
    if given.tiny:
        protocol, out = replace(protocol, **TINY), given.out or Path(tempfile.mkdtemp())
    os.environ.setdefault("MULTIMIX_CACHE", "off")
    with ProcessPoolExecutor(1, get_context("fork")) as pool:
        kind, card = pool.submit(_device).result()
    print(f"{card}, torch {torch.__version__}; records in {out}", flush=True)
    data = in_memory(open_data(protocol.data, protocol.data_options, root=given.data_root))
    study = Study(protocol, data, out, lambda line: print(line, flush=True), torch.device(kind), given.minutes)
    try:
        together = Together(study, given.workers, card)
        together.tune()
        together.finish()
    except TimeoutError as error:
        print(error)


if __name__ == "__main__":
    main()
