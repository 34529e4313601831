"""Signs links that Keygate verifies. The module ``keygate_sign.keygate_sign`` has all of it."""

from .keygate_sign import SignError, canonical, sign, sign_cloudflare

__all__ = ["SignError", "canonical", "sign", "sign_cloudflare"]
