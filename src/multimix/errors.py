"""Errors that a caller tells apart by their type."""


class SaliencyNotFinite(ValueError):
    """A saliency holds values that are negative, infinite or no number, as that of a loss that is not finite does."""
