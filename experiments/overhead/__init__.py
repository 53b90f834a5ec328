"""Study O: what does K > 1 cost, and what does it save? The protocol is in `__main__.py`."""
