"""What trackers hold of a run, read back with other means than they were written with."""

import json
import sqlite3
import struct
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Held:
    """Steps with their losses, in the order of writing; settings; the final evaluation."""

    losses: list[tuple[int, float]]
    settings: dict[str, str]
    final: dict[str, float]


def in_tensorboard(out: Path) -> Held:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    losses, final, settings = [], {}, {}
    for file in sorted((out / "tensorboard").iterdir()):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                number = value.tensor.float_val[0] if value.tensor.float_val else value.simple_value
                if value.tag == "loss":
                    losses.append((event.step, number))
                if value.tag.startswith("final/"):
                    final[value.tag.removeprefix("final/")] = number
                if value.tag == "settings/text_summary":
                    text = value.tensor.string_val[0].decode()
                    settings = {name: str(given) for name, given in json.loads(text.strip("`json\n")).items()}
    return Held(losses, settings, final)


def in_mlflow(out: Path, store: Path | None = None) -> Held:
    database = sqlite3.connect(store or out / "mlflow.db")
    ((run, status),) = database.execute("SELECT run_uuid, status FROM runs").fetchall()
    assert run == (out / "mlflow_run_id").read_text()
    assert status == "FINISHED"
    losses = database.execute("SELECT step, value FROM metrics WHERE key = 'loss' ORDER BY step").fetchall()
    settings = dict(database.execute("SELECT key, value FROM params"))
    final = database.execute("SELECT key, value FROM metrics WHERE key LIKE 'final/%'").fetchall()
    database.close()
    return Held(losses, settings, {key.removeprefix("final/"): value for key, value in final})


def in_wandb(out: Path) -> Held:
    from wandb.proto.wandb_internal_pb2 import Record

    (file,) = out.glob("wandb/offline-run-*/run-*.wandb")
    losses, settings, final = [], {}, {}
    for content in _pieces(file.read_bytes()):
        record = Record.FromString(content)
        items = {item.key or ".".join(item.nested_key): item.value_json for item in record.history.item}
        if "loss" in items:
            losses.append((int(items["_step"]), float(items["loss"])))
        for item in record.run.config.update:
            if item.key and item.key != "_wandb":
                settings[item.key] = str(json.loads(item.value_json))
        for item in record.summary.update:
            name = item.key or ".".join(item.nested_key)
            if name.startswith("final/"):
                final[name.removeprefix("final/")] = float(item.value_json)
    return Held(losses, settings, final)


def _pieces(content: bytes) -> list[bytes]:
    """Returns the records of a LevelDB log: blocks of 32 KiB, records cut at their ends."""
    result, place, block = [b""], 7, 32768
    while place + 7 <= len(content):
        if block - place % block < 7:
            place += block - place % block
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        result[-1] += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            result.append(b"")
    return result[:-1]


HELD = {"tensorboard": in_tensorboard, "mlflow": in_mlflow, "wandb": in_wandb}
