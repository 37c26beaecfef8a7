"""Mending a repository: the index from the packs, objects from another copy, backups from what is
left of them. Everything may be killed at any moment and begun again.
"""
