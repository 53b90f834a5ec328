"""What is shipped: the sdist is the repository, the wheel the package, and what they say of themselves is true."""

import os
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
def source(tmp_path_factory):
    """A copy of the repository: building leaves things lying about."""
    source = tmp_path_factory.mktemp("source")
    for file in repository():
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, source / file)
    return source


@pytest.fixture(scope="module")
def built(source, tmp_path_factory):
    """The folder with the sdist and the wheel."""
    out = tmp_path_factory.mktemp("dist")
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


@pytest.fixture(scope="module")
def editable(source, tmp_path_factory):
    """A folder that holds what an editable install puts into site-packages."""
    out, site_packages = tmp_path_factory.mktemp("editable"), tmp_path_factory.mktemp("site-packages")
    code = "import sys; from setuptools import build_meta; build_meta.build_editable(sys.argv[1])"
    command = [sys.executable, "-c", code, str(out)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(next(out.glob("*.whl"))) as wheel:
        wheel.extractall(site_packages)
    return site_packages


WHERE = """import importlib.util, site
site.addsitedir({site_packages!r})
print(importlib.util.find_spec("multimix").origin)
"""


@pytest.mark.parametrize("place", ["beside the script", "current directory"])
def test_an_empty_folder_of_the_same_name_does_not_win(editable, source, tmp_path, place):
    (tmp_path / "multimix").mkdir()
    script = tmp_path / "script.py"
    script.write_text(WHERE.format(site_packages=str(editable)))
    program = ["script.py"] if place == "beside the script" else ["-c", script.read_text()]
    command = [sys.executable, "-S", *program]  # not the site-packages of the tests: multimix may be there too
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(source / "src" / "multimix" / "__init__.py")


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert SETTINGS["version"] == multimix.__version__ == citation["version"]
    assert citation["license"] == SETTINGS["license"]
    version, development = multimix.__version__.removesuffix(".dev0"), multimix.__version__.endswith(".dev0")
    date = "unreleased" if development else r"\d{4}-\d\d-\d\d"
    assert re.search(rf"^## \[{version}\] - {date}$", changes, re.MULTILINE)
