"""The lab: train, evaluate, compare and report, with the library as any user would call it."""
