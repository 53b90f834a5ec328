"""Which trackers there are, and what each needs."""

from collections.abc import Sequence
from importlib.util import find_spec

from multimix.lab.core.errors import UsageError

# Name -> packages it needs, as they are imported.
TRACKERS: dict[str, tuple[str, ...]] = {
    "tensorboard": ("tensorboard",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
    "wandb": ("wandb",),
}


def check_installed(trackers: Sequence[str]) -> None:
    """Refuse trackers whose packages are not there.

    Raises:
        UsageError: naming what is missing.
    """
    for name in trackers:
        missing = [package for package in TRACKERS[name] if find_spec(package) is None]
        if missing:
            raise UsageError(
                f"a tracker's packages must be installed, got trackers={name} without {', '.join(missing)}; "
                f"pip install 'multimix[trackers]'"
            )
