"""Samples as they lie on disk: where they are, how they are decoded, and what happens to those that cannot be."""

from multimix.lab.data.files.bad_files import MAX_TEXT_BYTES, UNUSABLE, BadFiles, BadSample, why
from multimix.lab.data.files.blobs import Blobs, Encoded, encoded_files, stays_inside
from multimix.lab.data.files.class_folders import (
    class_folders,
    class_names,
    is_litter,
    kind_of,
    labels_of,
    note_unlisted,
)

__all__ = [
    "MAX_TEXT_BYTES",
    "UNUSABLE",
    "BadFiles",
    "BadSample",
    "Blobs",
    "Encoded",
    "class_folders",
    "class_names",
    "encoded_files",
    "is_litter",
    "kind_of",
    "labels_of",
    "note_unlisted",
    "stays_inside",
    "why",
]
