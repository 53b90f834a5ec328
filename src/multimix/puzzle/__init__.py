"""Puzzle Mix's parts, each useful by itself: saliency, energy, exact masks for all K at once, transport."""

from multimix.puzzle.solve import solve_masks

__all__ = ["solve_masks"]
