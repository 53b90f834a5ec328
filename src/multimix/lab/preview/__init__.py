"""The ordered path from one sample to another, as a picture: from two files to a pair, to its mixes, to the page."""

from multimix.lab.preview.make import preview

__all__ = ["preview"]
