"""Passkeys (WebAuthn): logging in with a device, and a second factor that cannot be phished."""
