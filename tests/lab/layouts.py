"""Small files in exactly the layouts data sets are published in, written byte by byte and not by our own code."""

import gzip
import io
import struct
import tarfile
import wave
from pathlib import Path

import numpy as np
from PIL import Image

WNIDS = ("n01440764", "n02085620", "n15075141")


def pixels(seed: int, height: int, width: int, channels: int = 3) -> np.ndarray:
    """A smooth picture that JPEG changes little."""
    rng = np.random.default_rng(seed)
    corners = Image.fromarray(rng.integers(0, 256, (2, 2, 3), dtype=np.uint8)).resize((width, height), Image.BILINEAR)
    return np.asarray(corners if channels == 3 else corners.convert("L"))


def jpeg(path: Path, seed: int, height: int, width: int, **options) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels(seed, height, width)
    Image.fromarray(image).save(path, "JPEG", quality=95, **options)
    return image


def sound(seed: int, samples: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3000, 3000, samples).astype("<i2")


def wav(path: Path, seed: int, rate: int, samples: int, channels: int = 1) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = sound(seed, samples * channels)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(content.tobytes())
    return content


def cifar_arrays(seed: int, records: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (records, 3072), dtype=np.uint8), rng.integers(0, classes, records, dtype=np.uint8)


def cifar10_binary(root: Path, records: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """data_batch_1..5.bin and test_batch.bin: a label byte and 3,072 pixels per record."""
    home = root / "cifar-10-batches-bin"
    home.mkdir(parents=True)
    arrays = [cifar_arrays(seed, records, 10) for seed in range(6)]
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    for name, (x, y) in zip(names, arrays, strict=True):
        (home / name).write_bytes(np.concatenate([y[:, None], x], axis=1).tobytes())
    (home / "batches.meta.txt").write_text("airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n")
    return arrays


def cifar100_binary(root: Path, train: int, test: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """train.bin and test.bin: a coarse label, a fine label and 3,072 pixels per record."""
    home = root / "cifar-100-binary"
    home.mkdir(parents=True)
    arrays = [cifar_arrays(0, train, 100), cifar_arrays(1, test, 100)]
    for name, (x, y) in zip(("train.bin", "test.bin"), arrays, strict=True):
        (home / name).write_bytes(np.concatenate([y[:, None] // 5, y[:, None], x], axis=1).tobytes())
    (home / "fine_label_names.txt").write_text("".join(f"fine_{number}\n" for number in range(100)))
    (home / "coarse_label_names.txt").write_text("".join(f"coarse_{number}\n" for number in range(20)))
    return arrays


def fashion_mnist(root: Path, train: int, test: int, packed: bool = True) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Four idx files: big-endian magic number and sizes, then the bytes."""
    home = root / "fashion-mnist"
    home.mkdir(parents=True)
    arrays = {}
    for name, count in (("train", train), ("t10k", test)):
        rng = np.random.default_rng(count)
        x, y = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8), rng.integers(0, 10, count, dtype=np.uint8)
        arrays[name] = x, y
        files = {
            f"{name}-images-idx3-ubyte": struct.pack(">iiii", 2051, count, 28, 28) + x.tobytes(),
            f"{name}-labels-idx1-ubyte": struct.pack(">ii", 2049, count) + y.tobytes(),
        }
        for file, content in files.items():
            (home / f"{file}{'.gz' if packed else ''}").write_bytes(gzip.compress(content) if packed else content)
    return arrays


def tiny_imagenet(root: Path, per_class: int = 3, num_test: int = 4, side: int = 64) -> Path:
    home = root / "tiny-imagenet-200"
    (home / "val" / "images").mkdir(parents=True)
    (home / "wnids.txt").write_text("".join(f"{wnid}\n" for wnid in reversed(WNIDS)))
    (home / "words.txt").write_text("".join(f"{wnid}\tsome thing, thing\n" for wnid in WNIDS))
    for label, wnid in enumerate(WNIDS):
        boxes = []
        for number in range(per_class):
            name = f"{wnid}_{number}.JPEG"
            jpeg(home / "train" / wnid / "images" / name, 100 * label + number, side, side)
            boxes.append(f"{name}\t{number}\t8\t31\t{63 - number}\n")
        (home / "train" / wnid / f"{wnid}_boxes.txt").write_text("".join(boxes))
    lines = []
    for number in range(num_test):
        jpeg(home / "val" / "images" / f"val_{number}.JPEG", 1000 + number, side, side)
        lines.append(f"val_{number}.JPEG\t{WNIDS[-1 - number % len(WNIDS)]}\t0\t16\t63\t47\n")
    (home / "val" / "val_annotations.txt").write_text("".join(lines))
    return home


def imagenet(root: Path, per_class: int = 4, num_test: int = 2) -> Path:
    """Class folders of JPEG images of many sizes, some grey, some CMYK, as ImageNet has them."""
    home = root / "imagenet-1k"
    for label, wnid in enumerate(WNIDS):
        for number in range(per_class):
            image = Image.fromarray(pixels(10 * label + number, 40 + 9 * number, 60 - 7 * number))
            path = home / "train" / wnid / f"{wnid}_{10 * number + 7}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.convert(("RGB", "L", "CMYK", "RGB")[number % 4]).save(path, "JPEG", quality=95)
        for number in range(num_test):
            jpeg(home / "val" / wnid / f"ILSVRC2012_val_0000{label}{number}.JPEG", 500 + label + number, 50, 70)
    return home


def cub(root: Path) -> Path:
    home = root / "CUB_200_2011"
    classes = ("001.Black_footed_Albatross", "002.Laysan_Albatross")
    tables: dict[str, list[str]] = {name: [] for name in ("images", "labels", "split", "boxes")}
    number = 0
    for label, name in enumerate(classes, start=1):
        for index in range(4):
            number += 1
            path = f"{name}/{name.split('.')[1]}_{index:04}_{number}.jpg"
            jpeg(home / "images" / path, number, 100, 200)
            tables["images"].append(f"{number} {path}\n")
            tables["labels"].append(f"{number} {label}\n")
            tables["split"].append(f"{number} {int(index < 2)}\n")
            tables["boxes"].append(f"{number} 60.0 27.0 100.0 50.0\n")
    names = {"images": "images", "labels": "image_class_labels", "split": "train_test_split", "boxes": "bounding_boxes"}
    for key, lines in tables.items():
        (home / f"{names[key]}.txt").write_text("".join(lines))
    (home / "classes.txt").write_text("".join(f"{i} {name}\n" for i, name in enumerate(classes, start=1)))
    return home


def speech_commands(root: Path, words: tuple[str, ...] = ("bed", "left", "right")) -> Path:
    home = root / "speech_commands_v0.02"
    for label, word in enumerate(words):
        for number in range(4):
            wav(home / word / f"0a7c2a8d_nohash_{number}.wav", 10 * label + number, 16_000, 16_000 - 999 * number)
    wav(home / "_background_noise_" / "white_noise.wav", 99, 16_000, 40_000)
    (home / "_background_noise_" / "README.md").write_text("noise\n")
    (home / "validation_list.txt").write_text("".join(f"{word}/0a7c2a8d_nohash_2.wav\n" for word in words))
    (home / "testing_list.txt").write_text("".join(f"{word}/0a7c2a8d_nohash_3.wav\n" for word in words))
    (home / "LICENSE").write_text("CC BY 4.0\n")
    return home


def fsdd(root: Path, digits: int = 10) -> Path:
    home = root / "free-spoken-digit-dataset"
    for digit in range(digits):
        for number in (0, 4, 5, 49):
            wav(home / "recordings" / f"{digit}_theo_{number}.wav", 10 * digit + number, 8_000, 2_000 + 150 * number)
    return home


def class_folders(root: Path, splits: tuple[str, ...] = ("",), per_class: int = 5, side: int = 12) -> Path:
    for split in splits:
        for label, name in enumerate(("ant", "bee")):
            for number in range(per_class):
                path = root / split / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels(100 * label + number, side, side)).save(path)
    return root


def png(seed: int, side: int) -> bytes:
    image = io.BytesIO()
    Image.fromarray(pixels(seed, side, side)).save(image, "PNG")
    return image.getvalue()


def tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def shards(root: Path, names: tuple[str, ...], per_shard: int = 4, side: int = 12) -> Path:
    """Tar files in which KEY.png and KEY.cls stand side by side."""
    root.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        files = {}
        for number in range(per_shard):
            files[f"{index:03}/{number:06}.png"] = png(100 * index + number, side)
            files[f"{index:03}/{number:06}.cls"] = b"%d" % (number % 2)
        tar(root / name, files)
    return root
