"""The sentence under the table says what the table shows."""

import re
from dataclasses import replace

import pytest

from multimix.lab.compare.rows import Row
from multimix.lab.report import words
from multimix.lab.report.curves import _seconds
from multimix.lab.report.results import Result
from multimix.lab.report.summary import lowest, summary
from multimix.lab.report.table import TableRow, corrected, table_row
from multimix.lab.report.takeaway import takeaway
from multimix.lab.report.words import change, change_interval, metric, note, with_interval
from multimix.lab.statistics import Interval

NOISE = (-0.001, 0.0, 0.001, -0.0005, 0.0005)


def results(error: float, time_s: float, noise=NOISE) -> list[Result]:
    return [
        Result(
            seed=seed,
            evaluation={"error": error + extra, "nll": 0.1 + extra, "ece": 0.02 + extra},
            cost={"step": 1, "time_s": time_s, "cpu_time_s": time_s, "rows": 100, "images": 20},
            environment={},
        )
        for seed, extra in enumerate(noise)
    ]


def row(control: str, gain: float, time_s: float = 1.0, method: str = "mixup", k: int = 5) -> TableRow:
    """A row whose error differs by `gain` (give or take a little) from the 0.1 of its K = 1 row."""
    uneven = (-0.0011, 0.0, 0.0012, -0.0005, 0.0005)  # the differences need some spread
    single = results(0.1, 1.0)
    return table_row(Row(method, k, control), results(0.1 + gain, time_s, uneven), {}, single, single)


def test_gain_at_same_rows():
    sentence = takeaway([row("same-pairs", -0.02, 5.0), row("same-rows", -0.01)])
    assert "K mixes of B pairs (same-pairs), at 5.0 × the training time, better for mixup" in sentence
    assert "K mixes of B/K pairs (same-rows), at 1.0 × the training time, better for mixup" in sentence
    assert sentence.endswith(
        "load B/K pairs and mix each K times where that lowers the error, for the same number of rows."
    )


@pytest.mark.parametrize(
    ("rows", "advice"),
    [
        ([row("same-pairs", -0.02), row("same-rows", +0.02)], "pays only with computing to spare"),
        ([row("same-pairs", -0.02), row("same-rows", 0.0)], "where the extra training time is paid for"),
        ([row("same-pairs", 0.0), row("same-rows", +0.02)], "by these 5 seeds, keep K = 1"),
        ([row("same-pairs", 0.0), row("same-rows", 0.0)], "the differences are not significant with 5 seeds"),
        ([row("same-rows", -0.02), row("same-rows", 0.02, method="cutmix")], "depends on the method, so measure"),
        ([row("same-rows", -0.02, k=2), row("same-rows", 0.02)], "depends on K, so measure"),
        ([row("same-rows", 0.02), row("same-images", -0.02)], "its gain is not due to K alone"),
        ([row("same-images", 0.02)], "by these 5 seeds, keep K = 1"),
        ([row("small-batch", -0.02), row("k-batch", -0.02)], "no row here has K > 1, so K is not judged"),
        ([], "K is not compared: that takes finished runs with K = 1 and with another K of the same method"),
    ],
)
def test_advice_follows_the_verdicts(rows, advice):
    assert advice in takeaway(rows)


def test_that_nothing_is_significant_is_said_once():
    sentence = takeaway([row("same-pairs", 0.0, 5.0), row("same-rows", 0.0)])
    assert sentence == (
        "Error of K = 5 against K = 1: with K mixes of a pair the differences are not significant with 5 seeds, so "
        "keep the cheapest or run more seeds or steps. Cost: with K mixes of B pairs (same-pairs), at 5.0 × the "
        "training time; with K mixes of B/K pairs (same-rows), at 1.0 × the training time."
    )


@pytest.mark.parametrize(("seeds", "advice"), [(1, "1 seed is too few"), (4, "4 seeds are too few for advice on K")])
def test_few_seeds_give_no_advice(seeds, advice):
    noise = (0.0, 0.0001, 0.0, 0.0003)[:seeds]
    single = results(0.1, 1.0, noise)
    worse = table_row(Row("mixup", 5, "same-rows"), results(0.2, 1.0, noise[::-1]), {}, single, single)
    assert advice in takeaway([worse])


def test_what_is_significant_with_one_control_is_said_though_the_advice_is_of_others():
    sentence = takeaway([row("same-rows", 0.0), row("small-batch", -0.02, k=1)])
    assert "(small-batch), at 1.0 × the training time, better for mixup" in sentence
    assert "(same-rows), at 1.0 × the training time, not significant for mixup" in sentence


def test_methods_and_values_of_k_are_named():
    sentence = takeaway(
        [row("same-pairs", 0.02, 2.0, k=2), row("same-pairs", 0.02, 5.0), row("same-pairs", -0.02, 5.0, "cutmix")]
    )
    assert "Error of K = 2 and 5 against K = 1" in sentence
    assert "at 2.0 to 5.0 × the training time" in sentence
    assert "better for cutmix, worse for mixup" in sentence


def test_many_comparisons_are_counted():
    rows = [row("same-rows", gain, k=k) for k in range(2, 10) for gain in (0.02, -0.02, -0.02)]
    assert "better in 16, worse in 8, not significant in 0 of 24 comparisons" in takeaway(rows)


def test_alphas_are_named_where_they_differ():
    rows = [replace_alpha(row("same-pairs", gain), alpha) for gain, alpha in ((0.02, 0.2), (-0.02, 1.0))]
    assert "better for mixup (α = 1), worse for mixup (α = 0.2)" in takeaway(rows)
    assert "better for mixup," in takeaway(rows[1:]) or "better for mixup:" in takeaway(rows[1:])
    assert "method and alpha" in note(rows)
    assert "alpha" not in note([row("same-pairs", 0.02)])


def replace_alpha(table_row: TableRow, alpha: float) -> TableRow:
    return replace(table_row, row=replace(table_row.row, alpha=alpha))


def test_cells_mark_what_differs():
    worse, level = row("same-rows", 0.02), row("same-rows", 0.0)
    assert metric(worse, "error").startswith("12.00 ± ")
    assert metric(worse, "error").endswith(" ▲")
    assert metric(row("same-pairs", -0.02), "error").endswith(" ▼")
    assert "▲" not in metric(level, "error")
    assert change(worse) == "▲ +2.00"
    assert change(level) == "≈ +0.00"
    assert change(row("same-pairs", -0.02)) == "▼ −2.00"
    assert change_interval(worse).startswith("+1.9")


def test_a_single_seed_shows_no_interval():
    assert with_interval(Interval(0.5, float("nan"), 1)) == "0.50"


def test_variants_have_a_sentence_of_their_own():
    reference = results(0.1, 1.0)
    varied = [
        table_row(
            Row("mixup", 5, "same-rows", variant=name),
            results(0.1 + gain, 1.0, (-0.0011, 0, 0.0012, -0.0005, 0.0005)),
            {},
            [],
            reference,
        )
        for name, gain in (("iid", 0.02), ("fresh", 0.0))
    ]
    sentence = takeaway([row("same-rows", -0.01), *varied])
    assert sentence.startswith("Error of K = 5 against K = 1: with K mixes of B/K pairs")
    assert sentence.endswith(
        "Error with a variant against the same row without: iid worse for mixup; fresh not significant for mixup."
    )
    assert "variant" not in takeaway([row("same-rows", -0.01)])
    assert "without it" in note(varied)
    assert "without it" not in note([row("same-rows", 0.0)])


def test_the_summary_says_what_is_against_k_above_one_as_it_says_what_is_for_it():
    rows = corrected([row("same-pairs", -0.02, 5.0), row("same-rows", 0.02, method="cutmix")])
    sentences = summary(rows)
    assert sentences[0].startswith("Error of K = 5 against K = 1: K > 1 pays only with computing to spare")
    assert "at 5.0 × the training time, better for mixup" in sentences[1]
    assert "at 1.0 × the training time, worse for cutmix" in sentences[1]
    assert "Of 2 comparisons of error, 1 better and 1 worse at 95 %; after Holm's correction for all of them, 1" in str(
        sentences
    )
    assert any("found with a probability of 80 % from 0." in sentence for sentence in sentences)
    assert len(sentences) <= 5


def at_length(control: str, gain: float, length: int, k: int = 5) -> TableRow:
    plain = row(control, gain, k=k)
    return replace(plain, row=replace(plain.row, length=length))


def test_lengths_are_named_where_a_method_is_better_at_some_only():
    rows = [at_length("same-rows", -0.02, 30), at_length("same-rows", 0.02, 60), at_length("same-rows", -0.02, 90)]
    assert "better for mixup (30 and 90 steps), worse for mixup (60 steps)" in takeaway(rows)
    rows += [at_length("same-rows", -0.02, length, k=2) for length in (30, 60, 90)]
    assert "better for mixup (K = 5, 30 and 90 steps) and mixup (K = 2), worse for mixup (K = 5, 60" in takeaway(rows)
    assert "the same method and length" in note(rows)


def test_a_row_with_fewer_seeds_is_not_called_the_lowest():
    few = replace(row("same-pairs", -0.05), results=results(0.01, 1.0)[:1])
    (lowest,) = [
        sentence
        for sentence in summary([few, row("same-rows", -0.01), row("same-rows", 0.0)])
        if sentence.startswith("Lowest")
    ]
    assert lowest.startswith("Lowest mean error of the 2 rows with 5 seeds: mixup-k5-same-rows, 9.0")


@pytest.mark.parametrize(
    ("plain", "says"),
    [
        (
            0.12,
            "mixup-k5-same-rows, 9.0.* %; without mixing at best 12.00 ± .* % \\(none\\): −3.00 points, better. Being",
        ),
        (
            0.0901,
            "mixup-k5-same-rows, 9.0.* %; without mixing at best 9.0. ± .* % \\(none\\): [+−]0.0. points, not sign",
        ),
        (0.05, r"none, 5.00 ± .* %, without mixing. Being"),
    ],
)
def test_the_lowest_row_is_held_against_no_mixing(plain, says):
    none = table_row(Row("none", 1), results(plain, 1.0), {}, [], [])
    (sentence,) = lowest([none, row("same-rows", -0.01)])
    assert re.match(f"Lowest mean error of the 2 rows with 5 seeds: {says}", sentence)


def test_the_lowest_row_without_a_seed_in_common_with_no_mixing_has_no_difference():
    elsewhere = [replace(run, seed=run.seed + 10) for run in results(0.12, 1.0)]
    (sentence,) = lowest([table_row(Row("none", 1), elsewhere, {}, [], []), row("same-rows", -0.01)])
    assert "without mixing" not in sentence


def test_costs_are_processor_time_where_runs_waited():
    waiting = row("same-pairs", 0.0, 5.0)
    for run in waiting.results:
        run.cost["cpu_time_s"] /= 2
        run.environment.update(device="cpu", threads=1)
    assert "at 5.0 × the processor time" in takeaway([waiting])
    assert "at 5.0 × the training time" in takeaway([row("same-pairs", 0.0, 5.0)])


def test_threads_that_had_no_work_are_no_wait_for_others():
    idle = row("same-pairs", 0.0, 5.0)
    for run in idle.results:
        run.cost["cpu_time_s"] = run.cost["time_s"] * 1.2
        run.environment.update(device="cpu", threads=4)
    assert words.waited([idle]) == 0


def test_tables_show_processor_time_where_runs_waited():
    quiet = row("same-pairs", 0.0, 5.0)
    title, times = words.main_time([quiet])
    assert title == "training time, s"
    assert times(quiet) == (quiet.time_s, quiet.time_ratio)
    waiting = row("same-pairs", 0.0, 5.0)
    for run in waiting.results:
        run.cost["cpu_time_s"] /= 2
        run.environment.update(device="cpu", threads=1)
    title, times = words.main_time([waiting])
    assert title == "processor time, s"
    assert times(waiting) == (waiting.cpu_time_s, waiting.cpu_time_ratio)


def test_curves_are_drawn_over_the_time_that_the_table_shows():
    found = row("same-pairs", 0.0, 5.0)
    assert _seconds(found, [1.0, 5.0], found.time_s) == [1.0, 5.0]
    assert _seconds(found, [1.0, 5.0], Interval(2.0, 0.1, 3)) == [0.4, 2.0]
