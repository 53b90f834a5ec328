"""How fast are batches mixed: beside a plain copy, plain PyTorch, and timm, torchvision and kornia.

    python -m benchmarks.blend

Times are medians of interleaved calls in one thread. "x copy" is the time divided by that of `out.copy_(source)`, where
both hold all K mixes and were allocated before. Every mix is compared with the formula in the same run. A peer's
"batch" means one coefficient (and box) for all and a fixed pairing, "sample" one each, as multimix draws them. kornia
returns no soft labels but the classes and coefficients.
"""

import argparse
import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.peers import Mix, peers
from benchmarks.timing import interleave, machine, table, write_atomic, write_json
from multimix import CutMix, MixUp, MultiMix, Plan

K = 5
CLASSES = {
    32: 100,
    64: 200,
    224: 1000,
}  # of the data sets that have images of this size: CIFAR, Tiny-ImageNet, ImageNet
METHODS = {"mixup": MixUp(alpha=1.0), "cutmix": CutMix(alpha=1.0)}
ALPHAS = (0.05, 0.2, 1.0, 5.0, 50.0)

Row = dict[str, object]


def batch(size: int, side: int) -> tuple[Tensor, Tensor]:
    """Images and labels."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(size, 3, side, side, generator=generator)
    return x, torch.randint(CLASSES[side], (size,), generator=generator)


def keep(plan: Plan, side: int) -> Tensor:
    """The masks, written out: 1 keeps the sample."""
    if not hasattr(plan.mask, "low"):
        return plan.weight[:, :, None, None, None]
    low, high = plan.mask.low[..., None], plan.mask.high[..., None]
    along = (torch.arange(side) >= low) & (torch.arange(side) < high)
    return (~(along[:, :, 0, :, None] & along[:, :, 1, None, :]))[:, :, None].float()


def check(x: Tensor, y: Tensor, plan: Plan, x_mix: Tensor, y_mix: Tensor | None = None) -> None:
    """Compare mixes with the formula."""
    mask, partner = keep(plan, x.shape[-1]), plan.partner
    for k, mixed in enumerate(x_mix.unflatten(0, (plan.num_mixes, -1))):
        torch.testing.assert_close(mixed, mask[k] * x + (1 - mask[k]) * x[partner], rtol=1e-5, atol=1e-5)
    if y_mix is not None:
        hot = torch.nn.functional.one_hot(y, y_mix.shape[1])
        weight = mask.expand(-1, -1, -1, *x.shape[2:]).mean((2, 3, 4))[..., None]
        torch.testing.assert_close(y_mix, (weight * hot + (1 - weight) * hot[partner]).flatten(0, 1))


def plain(method: str, x: Tensor, plan: Plan, out: Tensor) -> dict[str, Callable[[], Tensor]]:
    """The same plan in plain PyTorch, several ways."""
    partner, mixes = plan.partner, out.unflatten(0, (plan.num_mixes, -1))
    mask = keep(plan, x.shape[-1])

    def per_mix() -> Tensor:
        other = x.index_select(0, partner)
        for k in range(plan.num_mixes):
            torch.lerp(other, x, mask[k], out=mixes[k])
        return out

    def per_sample() -> Tensor:
        for i, j in enumerate(partner.tolist()):
            torch.lerp(x[j], x[i], mask[:, i], out=mixes[:, i])
        return out

    def paste() -> Tensor:
        mixes.copy_(x)
        edges = torch.cat([plan.mask.low, plan.mask.high], -1).tolist()
        for (i, j), k in itertools.product(enumerate(partner.tolist()), range(plan.num_mixes)):
            top, left, bottom, right = edges[k][i]
            mixes[k, i, :, top:bottom, left:right] = x[j, :, top:bottom, left:right]
        return out

    if method == "cutmix":
        kept = mask.bool()
        return {
            "PyTorch, where, allocated": lambda: torch.where(kept, x, x[partner]).flatten(0, 1),
            "PyTorch, where(out=)": lambda: torch.where(kept, x, x[partner], out=mixes).flatten(0, 1),
            "PyTorch, copy and paste slices": paste,
        }
    return {
        "PyTorch, lerp, allocated": lambda: torch.lerp(x[partner], x, mask).flatten(0, 1),
        "PyTorch, lerp(out=)": lambda: torch.lerp(x[partner], x, mask, out=mixes).flatten(0, 1),
        "PyTorch, lerp(out=) per mix": per_mix,
        "PyTorch, lerp(out=) per sample": per_sample,
    }


def loop(name: str, mix: Mix, x: Tensor, y: Tensor) -> Callable[[], object]:
    """K mixes by calling a peer K times. timm gets a copy each time, because it overwrites its input."""
    if name.startswith("timm"):
        return lambda: [mix(x.clone(), y) for _ in range(K)]
    return lambda: [mix(x, y) for _ in range(K)]


def five_mixes(method: str, size: int, side: int, budget_s: float) -> list[Row]:
    """K = 5: into a buffer, whole calls, plain PyTorch, and loops over the peers."""
    x, y = batch(size, side)
    mix = MultiMix(METHODS[method], num_mixes=K, num_classes=CLASSES[side])
    plan, out = mix.plan(x), torch.empty(K * size, *x.shape[1:])
    source = torch.randn_like(out)
    check(x, y, plan, *mix.apply(plan, x, y, out=out))
    for contend in (ways := plain(method, x, plan, out)).values():
        check(x, y, plan, contend())
    seconds = interleave(
        {
            "copy_ (the unit)": lambda: out.copy_(source),
            "multimix, apply(plan, x, out=)": lambda: mix.apply(plan, x, out=out),
            "multimix, mix(x, y, out=)": lambda: mix(x, y, out=out),
            "multimix, mix(x, y)": lambda: mix(x, y),
            **ways,
            **{f"5 × {name}": loop(name, peer, x, y) for name, peer in peers(method, CLASSES[side]).items()},
        },
        budget_s,
    )
    unit = seconds["copy_ (the unit)"]
    rows = [{"what": name, "ms": f"{1e3 * s:.3f}", "x copy": f"{s / unit:.2f}"} for name, s in seconds.items()]
    for kind in ("batch", "sample"):
        loops = [name for name in seconds if name.startswith("5 ×") and name.endswith(kind)]
        if loops:
            name = min(loops, key=seconds.__getitem__)
            gain = seconds[name] / seconds["multimix, mix(x, y, out=)"]
            rows.append({"what": f"**{name} / mix(x, y, out=)**", "ms": "", "x copy": f"**{gain:.1f} times**"})
    return rows


def against(seconds: dict[str, float], kind: str) -> str:
    """multimix's time as a multiple of the fastest peer's of a kind."""
    rivals = [name for name in seconds if name != "multimix" and name.endswith(kind)]
    if not rivals:
        return "none"
    best = min(rivals, key=seconds.__getitem__)
    return f"{seconds['multimix'] / seconds[best]:.2f} × {best}"


def one_mix(method: str, budget_s: float) -> list[Row]:
    """K = 1: the whole call, labels and allocation included, beside the peers' whole calls."""
    rows: list[Row] = []
    for side, size in itertools.product(CLASSES, (1, 64, 256)):
        x, y = batch(size, side)
        mix = MultiMix(METHODS[method], num_mixes=1, num_classes=CLASSES[side])
        check(x, y, plan := mix.plan(x), *mix.apply(plan, x, y))
        works: dict[str, Callable[[], object]] = {}
        crashes = []
        works["multimix"] = partial(mix, x, y)
        for name, peer in peers(method, CLASSES[side]).items():
            try:
                peer(x, y)
                works[name] = partial(peer, x, y)
            except Exception:
                crashes.append(name)
        seconds = interleave(works, budget_s)
        cells = {name: f"{1e3 * s:.3f}" for name, s in seconds.items()} | dict.fromkeys(crashes, "crashes")
        verdicts = {
            "multimix / fastest": against(seconds, ""),
            "multimix / fastest per sample": against(seconds, "sample"),
        }
        rows.append({"batch": f"{size} × 3 × {side}²", **dict(sorted(cells.items())), **verdicts})
    return rows


def planning(budget_s: float) -> list[Row]:
    """Drawing a step of 256 pairs, K = 5."""
    x, _ = batch(256, 32)
    rows = []
    for alpha in ALPHAS:
        makers = {"mixup": MixUp(alpha=alpha), "cutmix": CutMix(alpha=alpha)}
        mixes = {name: MultiMix(method, num_mixes=K) for name, method in makers.items()}
        seconds = interleave({name: partial(mix.plan, x) for name, mix in mixes.items()}, budget_s)
        rows.append({"alpha": alpha, **{f"{name}, ms": f"{1e3 * s:.3f}" for name, s in seconds.items()}})
    return rows


def page(results: dict[str, object]) -> str:
    """The results as Markdown."""
    described = "\n".join(f"- {name}: {value}" for name, value in results["machine"].items())  # type: ignore[attr-defined]
    tables = results["tables"].items()  # type: ignore[attr-defined]
    parts = [f"## {title}\n\n{table(rows)}" for title, rows in tables]
    return "\n\n".join(["# Speed of mixing", (__doc__ or "").strip(), described, *parts]) + "\n"


def main() -> None:
    """Measure, print, write `blend.json` and `blend.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="time for each group of contenders")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder to write to")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tables: dict[str, list[Row]] = {}
    for method, (size, side) in itertools.product(METHODS, ((128, 32), (64, 224))):
        tables[f"K = 5, {method}, {size} × 3 × {side}²"] = five_mixes(method, size, side, options.seconds)
    for method in METHODS:
        tables[f"K = 1, {method}: whole call with labels, ms"] = one_mix(method, options.seconds)
    tables["Planning 256 pairs, K = 5"] = planning(options.seconds)
    results = {"machine": machine("timm", "torchvision", "kornia"), "tables": tables}
    print(page(results))
    write_json(options.out / "blend.json", results)
    write_atomic(options.out / "blend.md", page(results))


if __name__ == "__main__":
    main()
