"""Commands that measure speed, against peers and against what the machine can do."""
