"""What a role lets its users do."""
