"""Kernels for devices that the CPU's code does not run on."""
