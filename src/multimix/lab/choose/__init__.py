"""What to train with: no mixing and methods raced on held-out samples."""
