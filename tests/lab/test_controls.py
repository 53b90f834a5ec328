"""The arithmetic of fair comparisons."""

from pathlib import Path

import pytest

from multimix.lab.command_line.main import main
from multimix.lab.compare.controls import CONTROLS
from multimix.lab.compare.preflight import check_data_sets
from multimix.lab.compare.rows import Row, rows, runs
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.core.errors import UsageError

B, S = 120, 50


def compare(**changes):
    return CompareSettings(
        **{"methods": ("mixup",), "num_mixes": (1, 5), "batch_size": B, "steps": S, "out": "o"} | changes
    )


@pytest.mark.parametrize(
    ("control", "pairs", "mixes", "updates", "images"),
    [
        ("same-pairs", B, 5, S, B * S),
        ("same-rows", B // 5, 5, S, B * S // 5),
        ("same-images", B // 5, 5, 5 * S, B * S),
        ("k-updates", B, 1, 5 * S, 5 * B * S),
        ("k-batch", 5 * B, 1, S, 5 * B * S),
        ("small-batch", B // 5, 1, 5 * S, B * S),
    ],
)
def test_pairs_mixes_updates_and_images_of_every_control(control, pairs, mixes, updates, images):
    run = Row("mixup", 5, control).settings(compare(), steps=S, seed=0)
    assert (run.samples_per_step, run.num_mixes, run.steps) == (pairs, mixes, updates)
    assert run.batch_size == pairs * mixes
    assert run.samples_per_step * run.steps == images


def test_every_control_has_a_row_in_the_glossary_with_its_numbers():
    glossary = (Path(__file__).parents[2] / "docs" / "concepts.md").read_text()
    cells = {"B": B, "K·B": 5 * B, "B/K": B // 5, "S": S, "K·S": 5 * S, "1": 1, "K": 5}
    for control in CONTROLS:
        (line,) = (line for line in glossary.splitlines() if line.endswith(f"| `{control}` |"))
        _, _, pairs, mixes, rows, updates, images, *_ = (cell.strip() for cell in line.split("|"))
        run = Row("mixup", 5, control).settings(compare(), steps=S, seed=0)
        assert (run.samples_per_step, run.num_mixes) == (cells[pairs], cells[mixes])
        assert (run.batch_size, run.steps) == (cells[rows], cells[updates])
        assert run.samples_per_step * run.steps == {"B·S": B * S, "B·S/K": B * S // 5, "K·B·S": 5 * B * S}[images]


def test_a_small_batch_needs_a_batch_that_k_divides():
    with pytest.raises(UsageError, match="divisible by num_mixes, got batch_size=121, num_mixes=5; try 125"):
        runs(compare(batch_size=121, controls=("small-batch",)))


def test_rows_of_the_demo():
    settings = compare(methods=("none", "mixup"), controls=("same-pairs", "same-rows"))
    assert [row.name for row in rows(settings)] == [
        "none",
        "mixup-k1",
        "mixup-k5-same-pairs",
        "mixup-k5-same-rows",
    ]


def test_seeds_take_turns():
    settings = compare(seeds=2, controls=("same-pairs",))
    assert [run.out for _, run in runs(settings)] == [
        "o/mixup-k1-s0",
        "o/mixup-k5-same-pairs-s0",
        "o/mixup-k1-s1",
        "o/mixup-k5-same-pairs-s1",
    ]


def test_epochs_are_those_of_the_row_with_one_mix():
    planned = dict(runs(compare(steps=None, epochs=2, controls=("same-rows", "same-images"), seeds=1)))
    steps = planned[Row("mixup", 1)].steps
    assert steps == -(-2 * 898 // B)
    assert planned[Row("mixup", 5, "same-rows")].steps == steps
    assert planned[Row("mixup", 5, "same-images")].steps == 5 * steps


@pytest.mark.parametrize(("held", "samples"), [({"validation_share": 0.25}, 675), ({"labels_per_class": 12}, 120)])
def test_epochs_are_those_of_what_is_trained_on(held, samples):
    planned = runs(compare(steps=None, epochs=8, seeds=1, **held))
    assert {run.steps for _, run in planned} == {-(-8 * samples // B)}


def test_a_method_gets_the_options_it_has():
    settings = compare(methods=("none", "mixup", "cutmix"), method_options={"boxes": "inside", "alpha": 0.5})
    options = {row.method: run.method_options for row, run in runs(settings)}
    assert options == {"none": {}, "mixup": {"alpha": 0.5}, "cutmix": {"boxes": "inside", "alpha": 0.5}}


def test_every_data_set_and_alpha_has_rows_of_its_own():
    settings = compare(
        data=("digits", "synthetic"), methods=("none", "mixup"), alphas=(0.2, 1), controls=("same-rows",), seeds=1
    )
    planned = runs(settings)
    assert [row.name for row, _ in planned] == [
        f"{data}-{label}"
        for data in ("digits", "synthetic")
        for label in (
            "none",
            "mixup-a0.2-k1",
            "mixup-a0.2-k5-same-rows",
            "mixup-a1.0-k1",
            "mixup-a1.0-k5-same-rows",
        )
    ]
    assert len({run.out for _, run in planned}) == len(planned)
    for row, run in planned:
        assert run.data == row.data
        assert run.method_options == ({} if row.alpha is None else {"alpha": row.alpha})
        assert row.single in {other for other, _ in planned}
        assert (row.single.data, row.single.alpha, row.single.num_mixes) == (row.data, row.alpha, 1)


def test_a_data_set_gets_the_options_it_has():
    settings = compare(data=("digits", "fsdd"), data_options={"form": "waveform"})
    assert {run.data: run.data_options for _, run in runs(settings)} == {"digits": {}, "fsdd": {"form": "waveform"}}


def test_epochs_are_those_of_each_data_set():
    options = {"num_train": 300}
    settings = compare(data=("digits", "synthetic"), data_options=options, steps=None, epochs=1, seeds=1)
    steps = {row.data: run.steps for row, run in runs(settings) if row.num_mixes == 1}
    assert steps == {"digits": -(-898 // B), "synthetic": -(-300 // B)}


def test_data_sets_with_like_names_have_folders_of_their_own():
    settings = compare(data=("folder:a/cats", "folder:b/cats", "folder:b/ca ts", "digits"), seeds=1)
    names = {row.data: row.name.removesuffix("-mixup-k1") for row in rows(settings) if row.num_mixes == 1}
    assert len(set(names.values())) == 4
    assert names["digits"] == "digits"
    assert names["folder:a/cats"].startswith("cats-")
    assert not any("/" in name or " " in name for name in names.values())


VARIANTS = {
    "iid": {"sampling": "iid"},
    "inside": {"method_options": {"boxes": "inside"}},
    "four": {"num_mixes": 4},
}


def test_a_variant_is_tried_with_every_row_it_fits():
    settings = compare(methods=("none", "mixup", "cutmix"), controls=("same-rows",), variants=VARIANTS, seeds=1)
    assert [row.name for row in rows(settings)] == [
        "none",
        *("mixup-k1", "mixup-k1-iid", "mixup-k1-four", "mixup-k5-same-rows", "mixup-k5-same-rows-iid"),
        *("cutmix-k1", "cutmix-k1-iid", "cutmix-k1-inside", "cutmix-k1-four"),
        *("cutmix-k5-same-rows", "cutmix-k5-same-rows-iid", "cutmix-k5-same-rows-inside"),
    ]
    planned = {row.name: (row, run) for row, run in runs(settings)}
    row, run = planned["cutmix-k5-same-rows-inside"]
    assert (run.method_options, run.num_mixes, run.samples_per_step) == ({"boxes": "inside"}, 5, B // 5)
    assert row.reference == planned["cutmix-k5-same-rows"][0]
    assert row.reference.reference == planned["cutmix-k1"][0]
    assert row.reference.reference.reference is None
    assert planned["mixup-k5-same-rows-iid"][1].sampling == "iid"
    assert planned["mixup-k5-same-rows"][1].sampling == "stratified"
    assert planned["mixup-k1-four"][1].num_mixes == 4


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ({"iid": {"samplng": "iid"}}, r"variants must be one of .*got variants='samplng'.*sampling"),
        ({"iid": {"sampling": "random"}}, "sampling"),
        ({"iid": {}}, "a variant must change a setting"),
        ({"a/b": {"sampling": "iid"}}, "a variant's name must be letters"),
        ({"seed": {"seed": 3}}, "variants must be one of"),
        ({"inside": {"method_options": {"boxs": "inside"}}}, "method_options must be options of mixup"),
        ({"v": {"compile": "no"}}, "compile of variant v must be true or false, got compile='no'; correct it"),
        (
            {"v": {"learning_rate": "nan"}},
            "learning_rate of variant v must be a number or null, got learning_rate='nan'",
        ),
        ({"v": {"batch_size": True}}, "batch_size of variant v must be a whole number, got batch_size=True"),
        ({"v": {"data_root": 5}}, "data_root of variant v must be text or null, got data_root=5"),
        ({"v": {"model": [1]}}, r"model of variant v must be text, got model=\[1\]"),
        ({"v": {"unmixed_first": None}}, "unmixed_first of variant v must be a number or text, got unmixed_first=None"),
        ({"v": {"method_options": 5}}, "method_options of variant v must be values by name, got method_options=5"),
        ({"v": {"trackers": "mlflow"}}, "trackers of variant v must be a list, got trackers='mlflow'"),
        ({"v": {"method_options": {1: 2}}}, "method_options must be options of mixup, got 1"),
        ({5: {"sampling": "iid"}}, "a variant.s name must be letters.*got variants=5"),
        ({"v": {5: 1}}, "variants must be one of .*got variants='5'"),
    ],
)
def test_a_bad_variant_is_refused_at_once(variants, message):
    with pytest.raises(UsageError, match=message):
        runs(compare(variants=variants))


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize(("data", "message"), [("folder:/nope", "must name a folder"), ("cifar10", "none in")])
def test_data_that_are_not_there_are_refused_once_and_before_the_first_run(
    tmp_path, capsys, monkeypatch, dry, data, message
):
    flags = ["--methods", "mixup", "--data", f"digits,{data}", "--data-root", str(tmp_path), "--jobs", "0"]
    assert main(["compare", *flags, "--steps", "5", "--out", f"{tmp_path}/out", *dry]) == 2
    printed = capsys.readouterr()
    assert printed.err.count(message) == 1
    assert "Traceback" not in printed.err
    assert not (tmp_path / "out").exists()


def test_a_dry_run_of_a_comparison_fetches_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("multimix.lab.data.files.hub.fetch", lambda *arguments: pytest.fail("it was fetched"))
    for data in ("cifar10", "hf:someone/something"):
        flags = ["--methods", "none", "--data", data, "--steps", "5", "--out", f"{tmp_path}/out"]
        assert main(["compare", *flags, "--dry-run"]) == 0


def test_data_of_a_cluster_or_of_finished_runs_need_not_be_here():
    missing, on_cluster = compare(data=("folder:/nope",)), compare(data=("folder:/nope",), ray="auto")
    check_data_sets(on_cluster, [run for _, run in runs(on_cluster)])
    check_data_sets(missing, [])
    with pytest.raises(UsageError, match="must name a folder"):
        check_data_sets(missing, [run for _, run in runs(missing)])
