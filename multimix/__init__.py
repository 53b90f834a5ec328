"""Mixup with K ordered interpolations per pair."""
