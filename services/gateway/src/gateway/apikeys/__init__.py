"""Keys for programs: a part of what their owners may do."""
