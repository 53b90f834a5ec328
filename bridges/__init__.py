"""Frameworks with environments of their own: what they need, what they do, and what was tested beside them."""
