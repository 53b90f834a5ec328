"""python -m experiments.frontier {run,report,replicate} PROTOCOL.yaml [--data-root DIR] [--out DIR]"""

import argparse
from functools import partial
from pathlib import Path

from experiments.frontier.analysis import Findings
from experiments.frontier.protocol import Protocol
from experiments.frontier.records import Records
from experiments.frontier.replicate import replicate
from experiments.frontier.samples import in_memory
from experiments.frontier.stages import Study, one_thread
from multimix.lab.data import open_data

RESULTS = Path(__file__).parents[1] / "results"


def main() -> None:
    """Do what is missing of a study, print its tables, or do a part of it anew with other seeds."""
    parser = argparse.ArgumentParser(prog="python -m experiments.frontier", description=__doc__)
    parser.add_argument("action", choices=("run", "report", "replicate"))
    parser.add_argument("protocol", type=Path, help="a .yaml file of this folder")
    parser.add_argument("--data-root", help="folder of local copies of data sets")
    parser.add_argument("--out", type=Path, help="folder of the records (default: results/frontier-NAME)")
    parser.add_argument("--method", default="cutmix", help="replicate: name of the mixing method")
    parser.add_argument("--seeds", type=int, default=60, help="replicate: how many seeds that the study did not use")
    given = parser.parse_args()
    protocol = Protocol.read(given.protocol)
    out = given.out or RESULTS / f"frontier-{protocol.name}"
    if given.action == "report":
        from experiments.frontier.page import write_page

        write_page(protocol, out)
        return
    one_thread()
    data = in_memory(open_data(protocol.data, protocol.data_options, root=given.data_root))
    if given.action == "replicate":
        if given.method not in protocol.methods:
            parser.error(f"--method must be one of {', '.join(protocol.methods)}, got --method={given.method!r}")
        found = Findings(protocol, Records(out))
        print(*replicate(found, data, given.method, given.seeds, partial(print, flush=True)), sep="\n")
        return
    study = Study(protocol, data, out, say=lambda line: print(line, flush=True))
    study.finish(study.tune())


if __name__ == "__main__":
    main()
