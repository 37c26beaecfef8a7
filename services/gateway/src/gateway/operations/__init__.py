"""Long work that was asked for: its state, its outcome, and waiting for it."""
