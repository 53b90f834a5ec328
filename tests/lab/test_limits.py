"""Samples whose headers claim more than fits, or what cannot be: bad files like others, before they are decoded."""

import io
import struct
import tarfile
import zlib

import layouts
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image, ImageFile, ImageOps

from multimix.lab.core.errors import UsageError
from multimix.lab.data import open_data
from multimix.lab.data.files.audio import Sound
from multimix.lab.data.files.bad_files import BadSample
from multimix.lab.data.files.images import CroppedImage, WholeImage, header
from multimix.lab.preview.make import read_pair
from multimix.lab.preview.settings import PreviewSettings


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def huge_png(width, height):
    """A few hundred bytes that begin an image of this size; all of it would be black."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")


# Pillow is silent about the first, warns of the second and refuses the third.
@pytest.mark.parametrize("action", ["error", "ignore"])
@pytest.mark.parametrize("size", [(9_460, 9_460), (13_000, 13_000), (20_000, 20_000)])
def test_an_image_with_too_many_pixels_is_a_bad_file(tmp_path, monkeypatch, size, action):
    import warnings

    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("it was decoded"))
    monkeypatch.setattr("multimix.lab.data.files.images.MAX_PIXELS", 9_459**2)
    with warnings.catch_warnings():
        warnings.simplefilter(action, Image.DecompressionBombWarning)
        for use in (header, CroppedImage(1, 8), WholeImage(1, *size)):
            with pytest.raises(BadSample, match="more than 89,472,681 pixels"):
                use(huge_png(*size))


def test_it_is_named_counted_and_skipped(tmp_path):
    layouts.class_folders(tmp_path)
    (tmp_path / "ant" / "2.png").write_bytes(huge_png(13_000, 13_000))
    with pytest.raises(UsageError, match=r"got 1 bad: .*ant/2.png \(more than 89,478,485 pixels\)"):
        open_data(f"folder:{tmp_path}")
    data = open_data(f"folder:{tmp_path}", on_bad_file="skip")
    assert len(data.train) + len(data.test) == 9
    with pytest.raises(UsageError, match=r"2.png'; reading it failed: more than 89,478,485 pixels"):
        read_pair(PreviewSettings(file_a=f"{tmp_path}/ant/2.png", file_b=f"{tmp_path}/ant/3.png", out="x.png"))


def test_an_image_of_another_size_is_not_decoded(monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("it was decoded"))
    with pytest.raises(BadSample, match="9000 × 9000 pixels where 8 × 8 are usual"):
        WholeImage(1, 8, 8)(huge_png(9_000, 9_000))


def turned(orientation, kind="JPEG", **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(layouts.pixels(7, 40, 60)).save(file, kind, exif=exif, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_trained_on_upright_as_they_are_shown(tmp_path, orientation, kind):
    content = turned(orientation, kind)
    with Image.open(io.BytesIO(content)) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    height, width = upright.shape[:2]
    assert (width, height) == ((60, 40) if orientation < 5 else (40, 60))
    assert header(content) == (3, height, width)
    whole = WholeImage(3, height, width)(content)
    assert np.array_equal(whole.permute(1, 2, 0).numpy(), upright)
    (tmp_path / "a.picture").write_bytes(content)
    place = f"{tmp_path}/a.picture"
    shown = read_pair(PreviewSettings(file_a=place, file_b=place, out="x.png")).x[0]
    torch.testing.assert_close(shown, whole / 255)


def test_crops_are_of_the_upright_image():
    content = turned(6, "PNG")
    file = io.BytesIO()
    Image.fromarray(layouts.pixels(7, 40, 60)).transpose(Image.Transpose.ROTATE_270).save(file, "PNG")
    for seed in (None, 0, 1):
        crops = [
            CroppedImage(3, 16)(each, None if seed is None else np.random.default_rng(seed))
            for each in (content, file.getvalue())
        ]
        assert torch.equal(*crops)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's, and all there should be
@pytest.mark.parametrize("exif", [b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0no", b"\xff" * 99])
def test_an_image_with_broken_exif_data_is_still_an_image(exif):
    file = io.BytesIO()
    Image.fromarray(layouts.pixels(7, 40, 60)).save(file, "JPEG", exif=exif)
    assert WholeImage(3, 40, 60)(file.getvalue()).shape == (3, 40, 60)


def wav(samples, rate=8_000, subtype="PCM_16", **options):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype=subtype, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (wav(layouts.sound(0, 99), 2_000_000_000), "2,000,000,000 samples a second where 100 to 768,000 are read"),
        (wav(layouts.sound(0, 99), 5), "5 samples a second where"),
        (wav(np.zeros((1 << 14, 1 << 10), np.int16)), "16,384 samples in 1,024 channels, more than 16,777,215 in all"),
        (wav(np.array([0.5, np.nan]), subtype="FLOAT"), "nan or inf among its samples"),
        (wav(np.array([0.5, -np.inf]), subtype="FLOAT"), "nan or inf among its samples"),
        (wav(np.array([0.5, np.inf]), subtype="DOUBLE"), "nan or inf among its samples"),
    ],
    ids=["rate", "low rate", "channels", "nan", "-inf", "inf"],  # a header holds the time it was written
)
def test_a_sound_that_claims_too_much_or_holds_no_numbers_is_a_bad_file(tmp_path, monkeypatch, content, reason):
    monkeypatch.setattr("multimix.lab.data.files.audio.MAX_SAMPLES", (1 << 24) - 1)
    for name in ("ant", "bee"):
        for number in range(5):
            layouts.wav(tmp_path / name / f"{number}.wav", number, 8_000, 8_000)
    (tmp_path / "ant" / "2.wav").write_bytes(content)
    with pytest.raises(UsageError, match=rf"got 1 bad: .*ant/2.wav \({reason}"):
        open_data(f"folder:{tmp_path}")
    data = open_data(f"folder:{tmp_path}", on_bad_file="skip")
    assert len(data.train) + len(data.test) == 9


def test_the_rate_that_most_sounds_claim_is_no_excuse(tmp_path):
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        for number in range(5):
            (tmp_path / name / f"{number}.wav").write_bytes(wav(layouts.sound(0, 99), 2_000_000_000))
    with pytest.raises(UsageError, match="must hold sounds that can be read, got 8 that cannot"):
        open_data(f"folder:{tmp_path}", {"seconds": 600})


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_sounds_of_floats_are_as_loud_as_those_of_integers(subtype):
    samples = np.array([0, 0.5, -0.25, 1, -1, 1.5, -7])
    sound = Sound(8_000, 8)(wav(samples, subtype=subtype))
    assert sound[0].tolist() == [0, 16384, -8192, 32767, -32767, 32767, -32767, 0]
    long = np.sin(np.arange(200_000)) * 0.3
    difference = Sound(8_000, 200_000)(wav(long, subtype=subtype)) - Sound(8_000, 200_000)(wav(long))
    assert difference.abs().max() <= 1


def shard(path, *members):
    """A tar file of (name, content, changes to the header's fields) after two good samples."""
    good = {f"{key}.{end}": content for key in "yz" for end, content in (("png", layouts.png(0, 12)), ("cls", b"1"))}
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, content, changes in [*((name, content, {}) for name, content in good.items()), *members]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for field, value in changes.items():
                setattr(member, field, value)
            tar.fileobj.write(member.tobuf(tarfile.GNU_FORMAT))
            tar.fileobj.write(content + bytes(-len(content) % 512))
            tar.offset = tar.fileobj.tell()


def refused(folder, match):
    layouts.shards(folder, ("test-0.tar",))
    with pytest.raises(UsageError, match=match):
        open_data(f"webdataset:{folder}")
    return open_data(f"webdataset:{folder}", on_bad_file="skip")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": -512}, "a.png claims -512 bytes"),
        ({"size": -1}, "a.png claims -1 bytes"),
        ({"size": -512, "type": tarfile.GNUTYPE_LONGNAME}, "a.png claims -512 bytes"),
        ({"size": 1 << 40, "type": tarfile.GNUTYPE_LONGNAME}, "a.png claims 1,099,511,627,776 bytes"),
        ({"size": 1 << 40, "type": tarfile.XHDTYPE}, "a.png claims 1,099,511,627,776 bytes"),
        ({"size": 1 << 40}, "unexpected end of data"),
        ({"size": 1 << 86}, ".+"),
    ],
)
def test_a_shard_whose_headers_claim_what_cannot_be(tmp_path, changes, reason):
    shard(tmp_path / "train-0.tar", ("a.png", b"", changes))
    data = refused(tmp_path, rf"bad: .*train-0.tar \(broken tar file: {reason}")
    assert len(data.train) == 2  # those before


def test_a_size_in_an_extended_header_counts_too(tmp_path):
    record = b"14 size=-1024\n"
    shard(tmp_path / "train-0.tar", ("x", record, {"type": tarfile.XHDTYPE}), ("a.png", b"", {}))
    refused(tmp_path, r"bad: .*train-0.tar \(broken tar file: a.png claims -1,024 bytes")


def test_headers_nested_without_end(tmp_path):
    shard(tmp_path / "train-0.tar", *[("x", b"name\0", {"type": tarfile.GNUTYPE_LONGNAME})] * 2_000)
    refused(tmp_path, r"bad: .*train-0.tar \(broken tar file: ")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_shards_are_named_and_not_followed(tmp_path, kind):
    (tmp_path / "secret").write_bytes(layouts.png(0, 12))
    link = {"type": kind, "linkname": f"{tmp_path}/secret"}
    shard(tmp_path / "train-0.tar", ("a.png", b"", link), ("b.png", layouts.png(0, 12), {}), ("b.cls", b"", link))
    data = refused(tmp_path, r"a.png \(no regular file but a link.*b.cls \(no regular file.*b.png \(no .cls")
    assert len(data.train) == 2


def test_a_member_larger_than_what_fits_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("multimix.lab.data.files.shards.MAX_FILE_BYTES", 9_999)
    shard(tmp_path / "train-0.tar", ("a.png", bytes(10_000), {}), ("a.cls", b"0", {}))
    refused(tmp_path, r"a.png \(10,000 bytes where at most 9,999 are read\)")


def test_a_packed_file_that_unpacks_to_more_than_fits_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("multimix.lab.data.sets.fashion_mnist.MAX_FILE_BYTES", 1_000)
    layouts.fashion_mnist(tmp_path, 9, 4)
    with pytest.raises(UsageError, match=r"train-images-idx3-ubyte.gz \(more than 1,000 bytes\)"):
        open_data("fashion-mnist", root=tmp_path)
