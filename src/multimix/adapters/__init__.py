"""Bridges to the frameworks people train with: one file each, which imports its framework only where it must."""
