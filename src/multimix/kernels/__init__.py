"""Kernels: masks applied to pixels, and Puzzle Mix, at the speed of a device; one folder per family."""
