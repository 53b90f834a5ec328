"""Study F: error against training, for none, K = 1, small batches and K > 1, each at its best rate and length.

`python -m experiments.frontier run experiments/frontier/digits5.yaml` does what is missing, `report` prints the tables.
What is run, and what will be concluded from what, was written down before the runs: README.md beside this file.
"""
