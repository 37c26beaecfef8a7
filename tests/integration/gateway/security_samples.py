"""The same for /api/v2/security."""

from common.crypto.purposes import PurposeKeys
from integration.gateway.samples import Prepare, Sample, fixed
from integration.gateway.site import SECRET, Site

V2 = "/api/v2/security"


async def sealed(site: Site) -> Sample:
    """A token that was made for the default purpose."""
    token = PurposeKeys([SECRET], SECRET).seal("api:default", "sensitive")
    return Sample(f"{V2}/decrypt", {"encrypted_data": token})


async def upload(site: Site) -> Sample:
    """A file."""
    return Sample(f"{V2}/validate/file", files={"file": ("notes.txt", b"hello", "text/plain")})


SAMPLES: dict[str, Prepare] = {
    f"GET {V2}/stats": fixed(f"{V2}/stats"),
    f"GET {V2}/keys": fixed(f"{V2}/keys"),
    f"POST {V2}/validate/password": fixed(f"{V2}/validate/password", {"password": "x"}),
    f"POST {V2}/validate/input": fixed(f"{V2}/validate/input", {"input_data": "x"}),
    f"POST {V2}/validate/file": upload,
    f"POST {V2}/sanitize": fixed(f"{V2}/sanitize", {"input_data": "x"}),
    f"POST {V2}/generate/token": fixed(f"{V2}/generate/token"),
    f"POST {V2}/generate/api-key": fixed(f"{V2}/generate/api-key"),
    f"POST {V2}/encrypt": fixed(f"{V2}/encrypt", {"data": "sensitive"}),
    f"POST {V2}/decrypt": sealed,
}
