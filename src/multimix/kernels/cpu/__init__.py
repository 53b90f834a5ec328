"""Kernels for the CPU: loops that numba makes machine code of, on threads of our own."""
