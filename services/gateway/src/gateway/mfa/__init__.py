"""Second factors: codes that change, and codes for when the device is gone."""
