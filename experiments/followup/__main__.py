"""python -m experiments.followup {run,report,again} PLAN.yaml [--arm NAME] [--seeds N] [--out DIR]"""

import argparse
from pathlib import Path

from experiments.followup.plan import EXPERIMENTS, Plan
from experiments.followup.runs import STUDIES
from experiments.frontier.stages import one_thread
from multimix.lab.data import open_data


def main() -> None:
    """Do what is missing of a follow-up, write its page, or do recorded runs of one arm anew."""
    parser = argparse.ArgumentParser(prog="python -m experiments.followup", description=__doc__)
    parser.add_argument("action", choices=("run", "report", "again"))
    parser.add_argument("plan", type=Path, help="a .yaml file of this folder")
    parser.add_argument("--arm", default="mixup K=5 same rows", help="again: name of the arm, as in the page's table")
    parser.add_argument("--seeds", type=int, default=3, help="again: how many of its seeds")
    parser.add_argument("--out", type=Path, help="folder of the records (default: results/NAME)")
    given = parser.parse_args()
    plan = Plan.read(given.plan)
    out = given.out or EXPERIMENTS / "results" / plan.name
    if given.action == "report":
        from experiments.followup.page import write_page

        print(write_page(plan, out))
        return
    one_thread()
    data = open_data(plan.protocol.data, plan.protocol.data_options)
    study = STUDIES[plan.question](plan, data, out, lambda line: print(line, flush=True))
    if given.action == "run":
        study.finish(study.tune())
        return
    arms = {asked.arm.name: asked.arm for asked in plan.asked()}
    if given.arm not in arms:
        parser.error(f"--arm must be one of {', '.join(arms)}, got --arm={given.arm!r}; choose one")
    if not study.again(arms[given.arm], plan.seed_range()[: given.seeds]):
        raise SystemExit("not as recorded: another version of torch, or another kind of processor, rounds differently")


if __name__ == "__main__":
    main()
