"""What mixing does and costs on a GPU: `python -m benchmarks.gpu`."""
