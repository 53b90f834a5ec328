"""Kernels in Triton: import a module of this folder only where `triton` is installed."""
