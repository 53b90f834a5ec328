"""What multimix is and can do on this machine."""
