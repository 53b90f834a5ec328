"""What a mix keeps of its sample: one file per kind of mask."""

from multimix.masks.blocks import Blocks, kept_blocks
from multimix.masks.boxes import Boxes, kept_shares
from multimix.masks.bump import Bump
from multimix.masks.constant import Constant, Everything
from multimix.masks.mask import Mask
from multimix.masks.ordered import LEVELS, Ordered
from multimix.masks.resized import Resized
from multimix.masks.sides import sides

__all__ = [
    "LEVELS",
    "Blocks",
    "Boxes",
    "Bump",
    "Constant",
    "Everything",
    "Mask",
    "Ordered",
    "Resized",
    "kept_blocks",
    "kept_shares",
    "sides",
]
