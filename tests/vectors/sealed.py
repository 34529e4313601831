"""Makes sealed.json: known answers of sealed data, and forgeries.

Written from docs/app-keys.md alone, not from the code that opens. Needs the package `PyNaCl`, which
is libsodium. Run it in this folder: `python3 sealed.py`.
"""

import base64
import hashlib
import hmac
import json

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as encrypt

KEY = "kg_01AbCdEfGhIj_0123456789ABCDEFGHIJKLMNOPQRSTUVUrUNeiW30qR1RJ"
OTHER = "acme2_zZ0000000000_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzxwAc0Xwb0ReTC3"


def hkdf(text, salt, info):
    """RFC 5869 with SHA-256, for 32 bytes."""
    extracted = hmac.new(salt, text, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\1", hashlib.sha256).digest()


def id_of(key):
    return key.split("_")[1][2:]


def seal(text, key, salt, nonce, id=None):
    id = (id or id_of(key)).encode()
    derived = hkdf(key.encode(), salt, b"keygate/v1/seal\0" + id)
    return salt + nonce + encrypt(text, b"ks1\0" + id, nonce, derived)


def spelled(sealed, version="ks1"):
    return f"{version}.{base64.urlsafe_b64encode(sealed).rstrip(b'=').decode()}"


def padded(text, to=256):
    return text + b" " * (-len(text) % to)


def headers(given):
    return json.dumps({"headers": given}, separators=(",", ":")).encode()


def drawn(case, length):
    """Bytes that differ from case to case, and are the same in each run."""
    return hashlib.sha512(f"{case}/{length}".encode()).digest()[:length]


def sealed(case, text, key=KEY, **given):
    return seal(text, key, drawn(case, 16), drawn(case, 24), **given)


def opens(case, given, key=KEY, text=None):
    text = padded(text or headers(given))
    return {"id": case, "key": key, "sealed": spelled(sealed(case, text, key)), "headers": given}


def broken(case, text, key=KEY, **given):
    return {"id": case, "key": key, "sealed": spelled(sealed(case, text, **given))}


TOKEN = {"authorization": "Bearer sk-live-4eC39HqLyjWDarjtT1zdp7dc"}
WHOLE = padded(headers(TOKEN))

opened = [
    opens("one header", TOKEN),
    opens("another prefix", TOKEN, OTHER),
    opens("two headers", {"authorization": "Basic dTpw", "x-upstream-tenant": "acme 7"}),
    opens("quotes and backslashes", {"cookie": 'a="b\\c"; d=/e'}),
    opens("escapes", {"x-token": "a/b<c>&\"~"}, text=rb' {"headers" : {"x-tok\u0065n":"a\/b\u003cc\u003E\u0026\"~"}}'.strip()),
    opens("exactly one block", {"x-token": "x" * (256 - len(headers({"x-token": ""})))}),
    opens("the longest text", {"x-token": "x" * (2048 - len(headers({"x-token": ""})))}),
]
assert len(base64.urlsafe_b64decode(opened[-1]["sealed"][4:] + "=" * 2)) == 16 + 24 + 2048 + 16

rejected = [
    broken("the key of another", WHOLE, OTHER),
    broken("another id in the derivation", WHOLE, id="AbCdEfGhIk"),
    broken("no headers", padded(headers({}))),
    broken("no member", padded(b"{}")),
    broken("an unknown member", padded(b'{"headers":{"x-token":"a"},"refresh":{}}')),
    broken("headers twice", padded(b'{"headers":{"x-token":"a"},"headers":{"x-token":"a"}}')),
    broken("a header twice", padded(b'{"headers":{"x-token":"a","x-token":"b"}}')),
    broken("a list", padded(b'[{"x-token":"a"}]')),
    broken("a number", padded(b'{"headers":{"x-token":1}}')),
    broken("null", padded(b'{"headers":{"x-token":null}}')),
    broken("text behind it", padded(b'{"headers":{"x-token":"a"}}x')),
    broken("no JSON", padded(b"authorization: Bearer a")),
    broken("not UTF-8", padded(b'{"headers":{"x-token":"\xff"}}')),
] + [
    broken(f"the name {name!r}", padded(headers({name: "a"})))
    for name in (
        "", "Authorization", "x_token", "x token", ":path", "host", "content-length",
        "transfer-encoding", "connection", "te", "x-keygate-account", "x-forwarded-for",
        "x-original-url", "x-http-method-override", "a" * 65, "x-tok\u0000en",
    )
] + [
    broken(f"the value {value!r}", padded(headers({"x-token": value})))
    for value in ("", " ", " a", "a ", "a\r\nb", "a\nb", "a\tb", "a\0b", "\x7f", "é", "\u0130")
]

malformed = [
    "", "ks1", "ks1.", "ks1.AAAA",
    spelled(sealed("v2", WHOLE), "ks2"),
    spelled(sealed("case", WHOLE), "KS1"),
    spelled(sealed("padding", WHOLE)) + "=",
    spelled(sealed("blank", WHOLE)) + " ",
    spelled(sealed("alphabet", WHOLE)).replace("ks1.", "ks1.+"),
    spelled(sealed("cut", WHOLE)[:-1]),
    spelled(sealed("not padded", padded(headers(TOKEN), 255))),
    spelled(sealed("empty", b"")),
    spelled(sealed("too long", padded(WHOLE, 2304))),
]

with open("sealed.json", "w") as file:
    json.dump({
        "provenance": "made by sealed.py with libsodium (PyNaCl) and Python's hmac, from the words of docs/app-keys.md; no value was produced by Keygate",
        "opened": opened,
        "rejected": rejected,
        "malformed": malformed,
    }, file, indent=2, ensure_ascii=True)
    file.write("\n")
