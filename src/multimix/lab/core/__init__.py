"""What every part of the lab stands on: errors, checks, files, processes, signals, the terminal."""
