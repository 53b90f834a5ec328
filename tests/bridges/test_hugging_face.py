"""MixTrainer beside the real transformers: losses, counts, metrics, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from transformers import TrainingArguments, ViTConfig, ViTForImageClassification

from multimix import ManifoldMixup, MultiMix
from multimix.adapters.hugging_face import MixTrainer

ROOT = Path(__file__).parent.parent.parent
MIX = MultiMix("mixup", num_mixes=3, num_classes=4)


class Images(torch.utils.data.Dataset):
    """Images whose mean colour is their class; labels in any form."""

    def __init__(self, n: int, labels=None) -> None:
        self.y = torch.arange(n) % 4 if labels is None else labels
        self.x = F.one_hot(torch.arange(n) % 4, 4).float()[:, :, None, None].expand(n, 4, 8, 8)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> dict:
        return {"pixel_values": self.x[i], "labels": self.y[i]}


def vit(**settings) -> ViTForImageClassification:
    torch.manual_seed(1)
    config = ViTConfig(
        image_size=8,
        patch_size=4,
        num_channels=4,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=8,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        num_labels=4,
        **settings,
    )
    return ViTForImageClassification(config)


class Watched(MixTrainer):
    """Writes down every loss and the number of rows the model saw."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.losses, self.rows = [], []
        self.model.register_forward_hook(lambda m, args, output: self.rows.append(len(output.logits)))

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        result = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if model.training:
            self.losses.append((result[0] if return_outputs else result).detach())
        return result


def trainer(tmp_path, model=None, mix=MIX, data=None, cls=Watched, **settings) -> Watched:
    extra = {k: settings.pop(k) for k in ("eval_dataset", "compute_metrics", "compute_loss_func") if k in settings}
    options = {"num_train_epochs": 1, "per_device_train_batch_size": 4, "logging_steps": 1, "optim": "sgd"}
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        lr_scheduler_type="constant",
        max_grad_norm=0.0,
        **{"learning_rate": 0.1, **options, **settings},
    )
    return cls(model=model or vit(), args=arguments, train_dataset=data or Images(22), mix=mix, **extra)


def logged(t: Watched, name: str) -> list[float]:
    return [entry[name] for entry in t.state.log_history if name in entry]


def test_counts_are_of_pairs(tmp_path):
    t = trainer(tmp_path, num_train_epochs=2)
    result = t.train()
    assert t.state.global_step == t.state.max_steps == 12
    assert t.state.epoch == 2.0
    assert t.num_examples(t.get_train_dataloader()) == 22
    assert sorted(t.rows) == [6] * 2 + [12] * 10
    samples = result.metrics["train_samples_per_second"] * result.metrics["train_runtime"]
    assert samples == pytest.approx(44, rel=0.02)


def test_the_loss_is_cross_entropy_over_all_mixed_rows(tmp_path):
    model = vit()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    plans = []

    class Recorded(Watched):
        def compute_loss(self, model, inputs, *args, **kwargs):
            state = torch.get_rng_state()
            plans.append((MIX.plan(inputs["pixel_values"]), inputs["pixel_values"], inputs["labels"]))
            torch.set_rng_state(state)
            return super().compute_loss(model, inputs, *args, **kwargs)

    t = trainer(tmp_path, model, data=Images(4), cls=Recorded)
    t.train()
    plan, x, y = plans[0]
    x_mix, y_mix = MIX.apply(plan, x, y)
    fresh = vit()
    fresh.load_state_dict(before)
    loss = F.cross_entropy(fresh(x_mix).logits, y_mix)
    loss.backward()
    torch.testing.assert_close(t.losses[0], loss.detach())
    assert logged(t, "loss")[0] == pytest.approx(float(loss.detach()), abs=1e-4)
    for (name, old), new in zip(fresh.named_parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(new.detach(), old.detach() - 0.1 * old.grad, msg=name)


@pytest.mark.parametrize("rows", [8, 6], ids=["even", "last batch smaller"])
@pytest.mark.parametrize("counted", [True, False], ids=["items counted", "not counted"])
def test_gradient_accumulation(tmp_path, counted, rows):
    # With counts, two batches are one batch of their rows, also if one is smaller. Without (a model that takes no
    # loss arguments), the Trainer takes the mean of means, as it does for itself.
    gradients = []
    for step, batch in ((2, 4), (1, 8)):
        model = vit()
        model.accepts_loss_kwargs = counted
        t = trainer(
            tmp_path,
            model,
            mix=MultiMix("none", num_mixes=3, num_classes=4),
            data=Images(rows),
            gradient_accumulation_steps=step,
            per_device_train_batch_size=batch,
        )
        t.train()
        assert t.state.global_step == 1
        gradients.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    same = torch.allclose(*gradients, atol=1e-6)
    assert same == (counted or rows == 8)


def test_accumulated_loss_is_the_mean_over_mixed_rows(tmp_path):
    t = trainer(tmp_path, data=Images(6), gradient_accumulation_steps=2)
    t.train()
    assert sorted(t.rows) == [6, 12]
    assert logged(t, "loss")[0] == pytest.approx(float(sum(t.losses)), abs=1e-4)
    assert 0.5 < float(sum(t.losses)) < 3  # near log 4: neither K times nor half of it


def test_evaluation_is_untouched(tmp_path):
    seen = []

    def metrics(prediction):
        seen.append(prediction)
        return {"accuracy": float((prediction.predictions.argmax(-1) == prediction.label_ids).mean())}

    model = vit()
    t = trainer(tmp_path, model, eval_dataset=Images(10), compute_metrics=metrics, eval_strategy="epoch")
    t.train()
    assert seen[0].predictions.shape == (10, 4)
    assert seen[0].label_ids.tolist() == [i % 4 for i in range(10)]
    with torch.no_grad():
        data = Images(10)
        expected = F.cross_entropy(model.eval()(data.x).logits, data.y)
    assert logged(t, "eval_loss")[0] == pytest.approx(float(expected), abs=1e-4)
    assert model.config.problem_type == "single_label_classification"


def test_train_accuracy_is_logged_with_the_loss(tmp_path):
    model = vit()
    data = Images(6, torch.tensor([0, 1, 2, 3, 0, 0]))
    with torch.no_grad():
        expected = float((model.eval()(data.x).logits.argmax(1) == data.y).float().mean())
    unmixed = MultiMix("none", num_classes=4)
    settings = {"learning_rate": 0.0, "per_device_train_batch_size": 3, "logging_steps": 2, "num_train_epochs": 2}
    t = trainer(tmp_path, model, mix=unmixed, data=data, **settings)
    t.train()
    assert logged(t, "mixed_accuracy") == pytest.approx([expected] * 2)
    assert len(logged(t, "loss")) == 2


def test_it_learns(tmp_path):
    model = vit()
    trainer(tmp_path, model, num_train_epochs=60, learning_rate=0.5).train()
    data = Images(8)
    with torch.no_grad():
        assert (model.eval()(data.x).logits.argmax(1) == data.y).all()


def test_mixing_inside(tmp_path):
    model = vit()
    layers = [name for name, module in model.named_modules() if type(module).__name__ == "ViTLayer"]
    t = trainer(tmp_path, model, mix=MultiMix(ManifoldMixup(layers=layers[1:]), num_mixes=3, num_classes=4))
    t.train()
    assert sorted(t.rows) == [6] + [12] * 5


def test_float_labels_never_meet_the_wrong_loss(tmp_path):
    soft = F.one_hot(torch.arange(22) % 4, 4).float()
    with pytest.raises(ValueError, match=r"config\.problem_type must say what float labels are, got problem_type=None"):
        trainer(tmp_path, data=Images(22, soft)).train()


def test_a_model_of_other_classes_is_refused(tmp_path):
    mix = MultiMix("cutmix", num_mixes=3, num_classes=12)
    with pytest.raises(
        ValueError, match=r"one logit for each of num_classes=12 classes, got logits: \(12, 4\), labels"
    ):
        trainer(tmp_path, mix=mix).train()


@pytest.mark.parametrize(
    ("problem", "loss"),
    [
        ("single_label_classification", F.cross_entropy),
        ("multi_label_classification", F.binary_cross_entropy_with_logits),
        ("regression", F.mse_loss),
    ],
)
def test_float_labels_with_their_problem_named(tmp_path, problem, loss):
    soft = F.one_hot(torch.arange(4) % 4, 4).float()
    mix = MultiMix("none")
    data = Images(4, soft)
    t = trainer(tmp_path, vit(problem_type=problem), mix=mix, data=data)
    t.train()
    torch.testing.assert_close(t.losses[0], loss(vit()(data.x).logits, soft).detach())


def test_label_smoothing_composes(tmp_path):
    data = Images(4)
    t = trainer(tmp_path, mix=MultiMix("none", num_classes=4), data=data, label_smoothing_factor=0.2)
    t.train()
    expected = F.cross_entropy(vit()(data.x).logits, data.y, label_smoothing=0.2)
    torch.testing.assert_close(t.losses[0], expected.detach())


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_ignored_labels_count_as_without_mixing(tmp_path, smoothing):
    data = Images(8)
    data.y = data.y.masked_fill(torch.arange(8) % 3 == 1, -100)
    mix = MultiMix("none", num_classes=4, ignore_index=-100)
    t = trainer(tmp_path, mix=mix, data=data, label_smoothing_factor=smoothing, gradient_accumulation_steps=2)
    t.train()
    expected = F.cross_entropy(vit()(data.x).logits, data.y, label_smoothing=smoothing)  # -100 is torch's own
    torch.testing.assert_close(sum(t.losses), expected.detach())


def test_batches_without_a_label_are_nothing(tmp_path):
    data = Images(8)
    data.y = data.y.masked_fill(torch.arange(8) < 4, -100)
    mix = MultiMix("mixup", num_mixes=2, num_classes=4, ignore_index=-100)

    class InOrder(Watched):
        def _get_train_sampler(self, *args):
            return torch.utils.data.SequentialSampler(data)

    t = trainer(tmp_path, mix=mix, data=data, cls=InOrder, logging_steps=2)
    t.train()
    assert t.losses[0] == 0 < t.losses[1]
    assert 0 <= logged(t, "mixed_accuracy")[0] <= 1


@pytest.mark.parametrize("problem", ["multi_label_classification", "regression"])
def test_integer_labels_beside_another_problem_are_refused(tmp_path, problem):
    told = f"must be None or single_label_classification for integer labels, got problem_type='{problem}' and labels"
    with pytest.raises(ValueError, match=told):
        trainer(tmp_path, vit(problem_type=problem)).train()


def test_a_loss_of_ones_own(tmp_path):
    def total(outputs, labels, num_items_in_batch=None):
        return F.cross_entropy(outputs.logits, labels, reduction="sum") / num_items_in_batch

    losses = []
    for settings in ({}, {"compute_loss_func": total}):
        t = trainer(tmp_path, data=Images(6), gradient_accumulation_steps=2, **settings)
        t.train()
        losses.append(torch.stack(t.losses))
    torch.testing.assert_close(*losses)


def test_what_cannot_be_mixed_is_refused(tmp_path):
    with pytest.raises(TypeError, match="mix must be a MultiMix, got mix='mixup'"):
        trainer(tmp_path, mix="mixup")

    class Masked(Images):
        def __getitem__(self, i):
            return {**super().__getitem__(i), "bool_masked_pos": torch.zeros(4)}

    with pytest.raises(ValueError, match='must hold "pixel_values" and "labels" to be mixed, got'):
        trainer(tmp_path, data=Masked(4), remove_unused_columns=False).train()

    class Named(Images):
        def __getitem__(self, i):
            sample = super().__getitem__(i)
            return {"image": sample["pixel_values"], "labels": sample["labels"]}

    with pytest.raises(
        ValueError, match=r"got \['labels'\]; name the input .*, pass .*\(remove_unused_columns=False\)"
    ):
        trainer(tmp_path, data=Named(4)).train()


TWO_PROCESSES = """
import sys
sys.path[:0] = ["tests/bridges", "."]
import torch
import test_hugging_face as here
from multimix import MultiMix
unmixed = MultiMix("none", num_classes=4)
model = here.vit()
t = here.trainer(sys.argv[1], model, mix=unmixed, data=here.Images(8), per_device_train_batch_size=int(sys.argv[2]))
t.train()
weights = torch.cat([p.detach().flatten() for p in model.parameters()])
torch.save((t.state.global_step, weights), f"{sys.argv[1]}/{t.args.process_index}.pt")
"""


def test_two_processes(tmp_path):
    # Unmixed, so that nothing is drawn: a step of two processes with four samples each is one of one with eight.
    results = {}
    for name, processes, batch in (("one", 1, 8), ("two", 2, 4)):
        folder = tmp_path / name
        folder.mkdir()
        script = tmp_path / "script.py"
        script.write_text(TWO_PROCESSES)
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        command = [*torchrun, str(script), str(folder), str(batch)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        results[name] = [torch.load(folder / f"{rank}.pt") for rank in range(processes)]
    (steps, alone), (steps_of_two, first), (_, second) = *results["one"], *results["two"]
    assert steps == steps_of_two == 1
    torch.testing.assert_close(first, alone, atol=1e-6, rtol=0)
    torch.testing.assert_close(first, second, atol=0, rtol=0)


def test_settings_of_the_mixer_are_sent_to_it():
    with pytest.raises(TypeError, match=r"got MixTrainer\(\.\.\., K=5\); pass mix=MultiMix\(\.\.\., num_mixes=5\)"):
        MixTrainer("cutmix", K=5)
