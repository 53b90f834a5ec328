"""The path between two pictures, sounds or series, as a picture."""
