"""Whether input and files are what they seem: reported, never silently changed."""
