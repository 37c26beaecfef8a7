"""The proof that a backup comes back: restored elsewhere, compared with what it was taken from."""
