"""What finished models are asked. One file per question; an evaluator never sees training."""
