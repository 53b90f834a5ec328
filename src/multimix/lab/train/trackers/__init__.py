"""A run's numbers in the tools people watch runs with: one file per tool, imported only when it is asked for."""
