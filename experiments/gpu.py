"""python -m experiments.gpu --data-root DIR [--minutes 9] [--out DIR]

Study F's contrasts on a GPU: ResNet-9 of full width on all of CIFAR-10, in bfloat16, the data on the device. It stops
after some minutes, and the same command goes on: the records of all sessions make one study. `--tiny` tries the program
on digits, on whatever device there is, in seconds.

Protocol: frontier/cifar10gpu.yaml, and frontier/README.md for what is concluded from what. Needs torch, numpy, numba
and PyYAML, not the program's own command line.
"""

import argparse
import os
import platform
from dataclasses import replace
from pathlib import Path

import torch

from experiments.frontier.protocol import Protocol
from experiments.frontier.stages import Study
from multimix.lab.data import open_data

HERE = Path(__file__).parent
TINY = {"data": "digits", "model": "mlp", "labels_per_class": 20, "validation": 100, "test": 200, "batch_size": 20}


def main() -> None:
    """Do as much of the study as the minutes allow."""
    parser = argparse.ArgumentParser(prog="python -m experiments.gpu", description=__doc__.splitlines()[2])
    parser.add_argument("--data-root", help="folder that holds cifar10/{train,test}/CLASS or a published layout")
    parser.add_argument("--minutes", type=float, default=9.0, help="no run is begun after these")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "frontier-cifar10gpu")
    parser.add_argument("--tiny", action="store_true", help="digits and a small network, to try the program")
    given = parser.parse_args()
    protocol = Protocol.read(HERE / "frontier" / "cifar10gpu.yaml")
    if given.tiny:
        small = {"data_options": {}, "first_length": 2, "lengths": 2, "rates": (0.1,), "final_seeds": 1}
        protocol = replace(protocol, **TINY, **small)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    card = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or "CPU"
    print(f"{card}, torch {torch.__version__}", flush=True)
    os.environ.setdefault("MULTIMIX_CACHE", "off")
    data = open_data(protocol.data, protocol.data_options, root=given.data_root)
    study = Study(protocol, data, given.out, lambda line: print(line, flush=True), device, given.minutes)
    try:
        study.finish(study.tune())
    except TimeoutError as error:
        print(error)


if __name__ == "__main__":
    main()
