"""Tests beside the oldest and the newest releases of the dependencies: `make oldest`, `make newest`."""
