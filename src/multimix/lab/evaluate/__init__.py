"""Evaluators of finished models, one file each; none knows how a model was trained."""
