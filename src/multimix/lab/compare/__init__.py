"""Many runs, and what they are made of."""
