"""Accounts: who there is, with which roles, and with which password."""
