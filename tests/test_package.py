"""What is shipped: the sdist is the repository, the wheel the package, and what they say of themselves is true."""

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest
import yaml

import multimix

ROOT = Path(__file__).parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def repository() -> list[str]:
    """The files of the repository, new ones included; of an unpacked sdist all files."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0 and done.stdout:
        return [file for file in done.stdout.splitlines() if (ROOT / file).is_file()]
    return [str(file.relative_to(ROOT)) for file in ROOT.rglob("*") if file.is_file()]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with the sdist and the wheel, built from a copy: building leaves things lying about."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for file in repository():
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, source / file)
    command = [sys.executable, "-I", "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_the_sdist_is_the_repository(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        shipped = {name.partition("/")[2] for name in sdist.getnames()}
    assert set(repository()) - shipped == set()


def test_the_wheel_is_the_package_alone(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        (metadata,) = (name for name in names if name.endswith("METADATA"))
        told = BytesParser().parsebytes(wheel.read(metadata))
    assert {name.partition("/")[0] for name in names} == {"multimix", f"multimix-{multimix.__version__}.dist-info"}
    kept = {f"src/{name}" for name in names if name.startswith("multimix/")}
    assert kept == {file for file in repository() if file.startswith("src/")}
    assert told["Version"] == SETTINGS["version"]
    assert told["License-Expression"] == "Apache-2.0"
    assert "docs" in told.get_all("Provides-Extra")


def test_an_index_would_take_them(built):
    files = [str(file) for file in built.iterdir()]
    assert len(files) == 2
    command = [sys.executable, "-m", "twine", "check", "--strict", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") == 2


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert SETTINGS["version"] == multimix.__version__ == citation["version"]
    assert citation["license"] == SETTINGS["license"]
    assert re.search(rf"^(To be {multimix.__version__},|## \[{multimix.__version__}\])", changes, re.MULTILINE)
