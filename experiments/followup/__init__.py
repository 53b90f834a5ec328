"""Studies M and Q: why K = 5 and small batches differ, and how good the models are that study F chose.

`python -m experiments.followup run experiments/followup/why-digits5.yaml` does what is missing, `report` writes the
page, `again` does recorded runs of one arm anew. What is run, and what is concluded from what: README.md beside this.
"""
