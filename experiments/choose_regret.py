"""How much worse than the best is what `multimix choose` recommends? Replayed from the records of study F.

    python experiments/choose_regret.py [experiments/frontier/digits5.yaml] [--records DIR]

No training is done: the rule of `multimix choose` (multimix/lab/choose/halving.py) asks for runs, and gets the
validation errors and the times that the study's tuning runs had, until a share of the time that all of them took is
spent. The candidates are arms of the study: no mixing, K = 1 and the small batch, K = 5 at the same rows, each at the
learning rate that the study chose for it; the rule does not choose rates.

Regret is the test error of what is recommended minus that of the arm and length with the lowest test error, in points,
both over the study's final seeds; part of it no rule could avoid that sees validation samples only. Where final runs
are missing, validation errors of the tuning seeds take their place, and the table says so: the rule chose by these
numbers, so such a regret is too small.

Beside the rule stand choices made without it: no mixing, also with the small batch, CutMix with K = 1, CutMix with the
small batch, CutMix with K = 5; each at the length with the lowest validation error among those that the budget pays
for, from the shortest on, all seeds each. "No mixing unless significantly worse" has the same runs, and keeps to no
mixing where the lowest error does not differ significantly from it. It was the command's rule before it was replayed on
digits with 5 labels per class; before CIFAR-10, what starts slowly was dropped. Those tables confirm neither change.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `experiments`, wherever it is called from

from experiments.frontier.analysis import Findings
from experiments.frontier.choose import choose
from experiments.frontier.protocol import Protocol
from experiments.frontier.records import Record, Records
from multimix.lab.choose.halving import Key, Measured, Race

HERE = Path(__file__).parent
SHARES = (0.1, 0.3, 1.0)  # of the time of all tuning runs that the rule could ask for
KINDS = ("K=1", "small batch", "K=5 same rows")
ALWAYS = {
    "always no mixing": "none K=1",
    "always no mixing, small batch": "none small batch",
    "always CutMix, K = 1": "cutmix K=1",
    "always CutMix, small batch": "cutmix small batch",
    "always CutMix, K = 5": "cutmix K=5 same rows",
}
Errors = Mapping[tuple[str, int], float]  # arm and length -> error
Choice = tuple[str, int]


def tuned(findings: Findings) -> dict[Key, Measured]:
    """Return the tuning runs of the rule's candidates at their chosen rates; arms that were not tuned are left out."""
    found: dict[Key, Measured] = {}
    for arm in findings.protocol.arms():
        runs = findings.tuning[arm.name]
        if arm.kind in KINDS and runs:
            rate = choose(findings.protocol, arm, runs, _rates(runs)).rate
            found |= {
                (arm.name, run.length, run.seed): Measured(run.validation_error, run.cost_s)
                for run in runs
                if run.rate == rate
            }
    return found


def _rates(runs: Sequence[Record]) -> list[float]:
    return sorted({run.rate for run in runs})


def judged(findings: Findings, known: Mapping[Key, Measured]) -> tuple[Errors, bool]:
    """Return the error of each arm and length, and whether it is the test error of final runs."""
    keys = {(arm, length) for arm, length, _ in known}
    chosen_by = {key: mean(run.error for (*arm, _), run in known.items() if tuple(arm) == key) for key in keys}
    if any(not findings.tuning[arm.name] for arm in findings.protocol.arms()) or not findings.seeds:
        return chosen_by, False
    return {
        (arm, length): float(errors.mean()) for arm, at in findings.errors.items() for length, errors in at.items()
    }, True


def replay(
    known: Mapping[Key, Measured], first: int, seeds: int, budget_s: float
) -> tuple[Choice, Choice, float] | None:
    """Return what the rule recommends, what caution would, and the seconds spent; None if the budget is too small.

    Runs that the study did not do are passed over: it stopped an arm where longer runs were no better.
    """
    arms = tuple(dict.fromkeys(arm for arm, _, _ in known))
    race = Race(arms, frozenset(arm for arm in arms if arm.startswith("none")), first, seeds)
    done: dict[Key, Measured] = {}
    rung = following = race.opening()
    while following is not None:
        runs = [key for key in following.runs if key in known]
        if not runs and following.seeds == rung.seeds and done:
            break
        needed_s = sum(known[key].time_s for key in runs)
        if sum(run.time_s for run in done.values()) + needed_s > budget_s:
            break
        done |= {key: known[key] for key in runs}
        rung = following
        following = race.following(done, rung, budget_s - sum(run.time_s for run in done.values()))
    if not done:
        return None
    decision = race.decide(done, rung)
    best = decision.best
    cautious = next((each for each in decision.alike if each.name in race.plain), best)
    return (best.name, best.length), (cautious.name, cautious.length), sum(run.time_s for run in done.values())


def always(known: Mapping[Key, Measured], arm: str, budget_s: float) -> Choice | None:
    """Return an arm at the best of the lengths that a budget pays for; None if it pays for none."""
    errors: dict[int, float] = {}
    for length in sorted({length for name, length, _ in known if name == arm}):
        runs = [run for (name, its_length, _), run in known.items() if (name, its_length) == (arm, length)]
        budget_s -= sum(run.time_s for run in runs)
        if budget_s < 0:
            break
        errors[length] = mean(run.error for run in runs)
    return (arm, min(errors, key=lambda length: (errors[length], length))) if errors else None


def table(findings: Findings) -> list[str]:
    """Return the table, line by line, with what is missing said above it."""
    protocol = findings.protocol
    known = tuned(findings)
    errors, is_test = judged(findings, known)
    lines = []
    candidates = [arm.name for arm in protocol.arms() if arm.kind in KINDS]
    missing = [name for name in candidates if not findings.tuning[name]]
    unfinished = [name for name in candidates if 0 < len(_rates(findings.tuning[name])) < len(protocol.rates)]
    if missing:
        lines.append(f"NOT TUNED YET, left out: {', '.join(missing)}.")
    if unfinished:
        lines.append(f"NOT TUNED AT ALL RATES YET: {', '.join(unfinished)}.")
    if not is_test:
        lines.append("FINAL RUNS ARE MISSING: these are VALIDATION errors of the tuning seeds, not test errors.")
    known = {key: run for key, run in known.items() if key[:2] in errors}
    total_s, best = sum(run.time_s for run in known.values()), min(errors, key=lambda key: errors[key])
    if is_test:
        lines.append(f"Test errors over {len(findings.seeds)} final seeds.")
    what = "test" if is_test else "VALIDATION"
    lines.append(f"Best: {_called(best)}, {what} error {100 * errors[best]:.2f} %. All runs: {total_s:.0f} s.")
    lines += [
        "",
        f"| budget | how | recommended | {what} error, % | regret, points | spent, s |",
        "|---|---|---|---:|---:|---:|",
    ]
    for share in SHARES:
        found = replay(known, protocol.first_length, protocol.tuning_seeds, share * total_s)
        rule, cautious, spent_s = found or (None, None, 0.0)
        rows = {"multimix choose": rule, "no mixing unless significantly worse": cautious}
        rows |= {how: always(known, arm, share * total_s) for how, arm in ALWAYS.items()}
        for how, choice in rows.items():
            spent = f"{spent_s:.0f}" if how == "multimix choose" else ""
            lines.append(f"| {share:.0%} | {how} | {_row(choice, errors, errors[best])} | {spent} |")
    return lines


def _row(choice: Choice | None, errors: Errors, least: float) -> str:
    if choice is None:
        return "budget too small, or not run | | "
    return f"{_called(choice)} | {100 * errors[choice]:.2f} | {100 * (errors[choice] - least):.2f}"


def _called(choice: Choice) -> str:
    return f"{choice[0]}, length {choice[1]}"


def main() -> None:
    """Print the table of one study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("protocol", type=Path, nargs="?", default=HERE / "frontier" / "digits5.yaml")
    parser.add_argument("--records", type=Path, help="folder of records.jsonl (default: results/frontier-NAME)")
    given = parser.parse_args()
    protocol = Protocol.read(given.protocol)
    folder = given.records or HERE / "results" / f"frontier-{protocol.name}"
    print("\n".join(table(Findings(protocol, Records(folder)))))


if __name__ == "__main__":
    main()
