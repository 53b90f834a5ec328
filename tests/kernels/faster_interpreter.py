"""A plugin of pytest: the tests run in Triton's interpreter as `benchmarks.interpreter` speeds it up."""

from benchmarks.interpreter import patch_once

patch_once()
