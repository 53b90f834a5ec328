"""What is on this machine, and does mixing work on it? From versions and devices to a self-test, and to the screen."""

from multimix.lab.about.doctor.findings import Findings, Installation, examine, installation

__all__ = ["Findings", "Installation", "examine", "installation"]
