"""Signs links that Keygate verifies: the formats ``keygate`` and ``cloudflare``.

Needs Python 3.8 and nothing else: install the package ``keygate-sign``, or copy this file.
HMAC-SHA256 only by itself: the standard library has no Ed25519. Give ``ed25519`` a function
that signs bytes, such as the method ``sign`` of a private key of the package
``cryptography``, and the link is signed with that.

    from keygate_sign import sign
    sign("https://media.example.com/cat.mp4", "k1", secret, int(time.time()) + 3600)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import re
import sys
from typing import Callable, Mapping, Sequence

UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
MAX_TOKEN = 4096
BROKEN = r"%(?![0-9A-Fa-f]{2})"
TCHAR = "!#$%&'*+.^_`|~0-9a-z-"
# Visible characters but # & * =, and perhaps a * at the end.
IGNORED = r"[!\"$%'-)+-<>-~]+\*?"


class SignError(ValueError):
    """What was asked for cannot be signed, or Keygate would reject it."""


def sign(url: str, key_id: str, secret: str | bytes | None, expires: float, *,
         not_before: float | None = None, method: str = "GET", any_host: bool = False,
         prefix: str | None = None, globs: list[str] | tuple[str, ...] = (),
         any_query: bool = False, ignore: list[str] | tuple[str, ...] = (),
         addresses: list[str] | tuple[str, ...] = (),
         headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
         cookies: Mapping[str, str] | Sequence[tuple[str, str]] = (),
         account: str | None = None, once: str | None = None, carrier: str = "query",
         name: str | None = None, ed25519: Callable[[bytes], bytes] | None = None) -> str:
    """Signs a link in the format ``keygate`` and returns it.

    ``url`` is absolute, or only path and query together with ``any_host``. ``expires`` and
    ``not_before`` are unix seconds; a fraction is dropped. ``secret`` is text or bytes, or None with ``ed25519``.
    ``headers`` and ``cookies`` are pairs of name and value (or a dict) that the request
    must have. ``carrier`` is ``"query"``, ``"path"`` (a segment ``/~kg=TOKEN/``) or
    ``"token"``: the bare token, for a header or a cookie. ``name`` is that of the parameter
    (``kg``) or segment (``~kg``).
    """
    origin, host, target = _split(url)
    path, query = _target(target)
    name = name or ("~kg" if carrier == "path" else "kg")
    _need(carrier in ("query", "path", "token"), f"carrier: there is no {carrier!r}")
    _match(r"[A-Za-z0-9._~-]+", name, "name")
    for field in ("any_host", "any_query"):
        # "false" would be true.
        _need(isinstance(locals()[field], bool), f"{field}: must be true or false")
    for field in ("globs", "ignore", "addresses"):
        # A text is a list of its characters, and an empty one binds to nothing.
        _need(isinstance(locals()[field], (list, tuple)), f"{field}: must be a list")
    for field in ("headers", "cookies"):
        _need(not isinstance(locals()[field], (str, bytes)), f"{field}: must be pairs")
    headers, cookies = (getattr(it, "items", lambda it=it: it)() for it in (headers, cookies))
    _need(any_host or host, "url: has no host; give one, or any_host")
    if prefix is not None:
        prefix = _path(prefix, "prefix")
        _need(prefix.endswith("/"), "prefix: must end with /")
        _need(path.startswith(prefix), "prefix: the url is not below it")
        _need(not globs, "globs: not together with prefix")
    if not_before is not None:
        _need(int(not_before) < int(expires), "not_before: must be less than expires")
    limits = {"globs": 16, "ignore": 16, "addresses": 16, "headers": 8, "cookies": 8}
    for field, most in limits.items():
        _need(len(locals()[field]) <= most, f"{field}: at most {most}")

    fields = [("k", _match(r"[A-Za-z0-9._-]{1,64}", key_id, "key_id"))]
    fields += [("e", _time(expires, "expires"))]
    fields += [("n", _time(it, "not_before")) for it in _given(not_before)]
    fields += [("m", _match(r"[A-Z-]{1,32}", method, "method"))] if method != "GET" else []
    fields += [("h", "*")] if any_host else []
    fields += [("p", prefix)] if prefix is not None else []
    fields += [("g", _glob(it)) for it in globs]
    fields += [("q", "*")] if any_query else []
    fields += [("i", _match(IGNORED, it, "ignore")) for it in ignore]
    fields += [("a", _address(it)) for it in addresses]
    fields += [("r", _match(f"[{TCHAR}]+", it, "headers")) for it, _ in headers]
    fields += [("c", _match(f"[{TCHAR}A-Z]+", it, "cookies")) for it, _ in cookies]
    fields += [("u", _match(r"[!-~]{1,256}", it, "account")) for it in _given(account)]
    fields += [("o", _match(r"[A-Za-z0-9_-]{16,64}", it, "once")) for it in _given(once)]

    _absent(name, carrier, path, query)
    of_request = [] if any_host else [("H", host)]
    of_request += [] if prefix is not None or globs else [("P", path)]
    of_request += [] if any_query else [("Q", _kept(query, ignore))]
    of_request += [("R", _value(it, "headers")) for _, it in headers]
    # One pair of double quotes is no part of a cookie's value (RFC 6265 section 4.1.1).
    of_request += [("C", re.sub(r'(?s)^"(.*)"$', r"\1", _value(it, "cookies"))) for _, it in cookies]

    algorithm = [("A", "HS256" if ed25519 is None else "EdDSA")]
    token_fields = _encode(fields)
    text = b"keygate-link-v1\n" + _encode(algorithm) + token_fields + _encode(of_request)
    signature = ed25519(text) if ed25519 else _hmac(secret, text)
    token = f"kg1.{_base64url(token_fields)}.{_base64url(signature)}"
    _need(len(token) <= MAX_TOKEN, f"the token is longer than {MAX_TOKEN} characters")
    return _carry(token, carrier, name, origin, target)


def sign_cloudflare(url: str, secret: str | bytes, stamp: float, *, alphabet: str = "standard",
                    name: str = "verify", carrier: str = "query",
                    directory: str | None = None) -> str:
    """Signs a link in the format ``cloudflare`` and returns it.

    ``stamp`` is the time of signing, or that of expiry if the policy says
    ``"stamp": "expires"``. ``alphabet`` is that of base64: ``"standard"`` or ``"url"``.
    With ``carrier="token"`` it returns ``<stamp>-<MAC>``, for a header. ``directory``, such
    as ``/a/``, opens all below it, signed as in Cloudflare's documentation.
    """
    origin, _, target = _split(url)
    path, query = _target(target)
    _need(carrier in ("query", "token"), f"carrier: there is no {carrier!r}")
    _need(alphabet in ("standard", "url"), f"alphabet: there is no {alphabet!r}")
    _match(r"[A-Za-z0-9._~-]+", name, "name")
    _absent(name, carrier, path, query)
    stamp = _time(stamp, "stamp")
    _need(len(stamp) == 10, "stamp: must have ten digits")
    rest = "" if query is None else f"?{query}"
    message = path + rest
    if directory is not None:
        _need(carrier == "query", "directory: only for links with a parameter")
        _need(_path(directory, "directory") == directory, "directory: is not canonical")
        _need(directory.endswith("/"), "directory: must end with /")
        _need(target.startswith(directory), "directory: the url is not below it")
        message = f"{directory}{rest}{'?' if query is None else '&'}{name}="
    mac = _hmac(secret, (message + stamp).encode())
    text = base64.b64encode(mac).decode()
    text = text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    token = f"{stamp}-{_base64url(mac) if alphabet == 'url' else text}"
    return _carry(token, carrier, name, origin, target)


def canonical(text: str) -> str:
    """The canonical form: RFC 3986 section 6.2.2, and percent-encoded what no URI may hold."""
    text = re.sub(r'["<>^`{|}]', lambda it: f"%{ord(it[0]):02X}", text)

    def triplet(match):
        octet = int(match[1], 16)
        return chr(octet) if octet in UNRESERVED else match[0].upper()
    return re.sub(r"%([0-9A-Fa-f]{2})", triplet, text)


def _split(url):
    """Origin, host as a client sends it, path and query."""
    match = re.fullmatch(r"(?:(https?)://([A-Za-z0-9._:\[\]-]+))?(/.*)", url, re.DOTALL)
    _need(match, "url: must be http(s)://host/path, or /path")
    scheme, authority, target = match.groups(default="")
    # Clients leave the port of the scheme out.
    default = {"http": ":80", "https": ":443"}.get(scheme, ":")
    host = authority[:-len(default)] if authority.endswith(default) else authority
    return f"{scheme}://{authority}" if scheme else "", host.lower(), target


def _target(target):
    """Path and query (or None) in canonical form."""
    path, mark, query = target.partition("?")
    _visible(query, "url")
    _need("#" not in query, "url: must not have a fragment")
    _need(not re.search(BROKEN, query), "url: has a broken percent encoding")
    return _path(path, "url"), canonical(query) if mark else None


def _path(path, field):
    """A path that can be read in one way only, in canonical form."""
    _visible(path, field)
    _match(r"/.*", path, field)
    result = canonical(path)
    # As a server reads it that decodes slashes.
    plain = result.replace("%2F", "/")
    bad = (re.search(r"[#?\\]|" + BROKEN, path)
           or re.search(r"//|%5C|%[01]|%7F|%C2%[89]|%25[0-9A-Fa-f]{2}", plain)
           or re.search(r"/(\.{1,2}(/|$)|\.{0,2}(;|%3B))", plain))
    octets = re.sub(rb"%(..)", lambda it: bytes([int(it[1], 16)]), b"" if bad else result.encode())
    try:
        octets.decode()
    except UnicodeDecodeError:
        bad = True
    _need(not bad, f"{field}: the path can be read in more than one way")
    return result


def _visible(text, field):
    _need(re.fullmatch(r"[!-~]*", text),
          f"{field}: has a blank, or a character that is not ASCII: percent-encode each part "
          "with urllib.parse.quote(part, safe='')")


def _glob(text):
    glob = _path(text, "globs")
    _need(not any("**" in it and it != "**" for it in glob.split("/")),
          "globs: ** must be a whole segment")
    return glob


def _absent(name, carrier, path, query):
    """A second token would be rejected."""
    names = [it.split("=", 1)[0] for it in (query or "").split("&")]
    _need(carrier != "query" or name not in names, f"url: has a parameter {name} already")
    _need(carrier != "path" or f"/{name}=" not in path, f"url: has a segment {name} already")


def _kept(query, ignore):
    """The query without the parameters that are not signed."""
    def is_ignored(name):
        return any(name.startswith(it[:-1]) if it.endswith("*") else name == it for it in names)
    names = [canonical(it) for it in ignore]
    parameters = [] if query is None else query.split("&")
    return "&".join(it for it in parameters if not is_ignored(it.split("=", 1)[0]))


def _carry(token, carrier, name, origin, target):
    if carrier == "token":
        return token
    if carrier == "path":
        # In front: every relative link keeps it.
        return f"{origin}/{name}={token}{target}"
    return f"{origin}{target}{'&' if '?' in target else '?'}{name}={token}"


def _encode(fields):
    values = [(letter, value.encode()) for letter, value in fields]
    return b"".join(b"%s%d:%s" % (letter.encode(), len(it), it) for letter, it in values)


def _hmac(secret, text):
    secret = secret.encode() if isinstance(secret, str) else secret
    _need(secret and secret.strip(), "secret: is empty")
    return hmac.new(secret, text, hashlib.sha256).digest()


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _given(value):
    return [] if value is None else [value]


def _time(seconds, field):
    """Unix seconds; ``time.time() + 60`` is a float, and its fraction is dropped."""
    if isinstance(seconds, float) and 0 < seconds < 1e10:
        seconds = int(seconds)
    return _match(r"[1-9][0-9]{0,9}", str(seconds), field)


def _address(text):
    try:
        network = ipaddress.ip_interface(text)
    except ValueError as error:
        raise SignError(f"addresses: {error}") from None
    mapped = getattr(network.ip, "ipv4_mapped", None)
    _need(mapped is None or network.network.prefixlen >= 96,
          "addresses: a range of IPv4-mapped addresses needs at least 96 bits")
    return _match(r"[0-9A-Fa-f.:]+(/(0|[1-9][0-9]*))?", text, "addresses")


def _value(text, field):
    _need(not re.search(r"[\x00-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$", text), f"{field}: wrong value")
    return text


def _match(pattern, text, field):
    _need(re.fullmatch(pattern, text, re.ASCII), f"{field}: {text!r} is not of the form {pattern}")
    return text


def _need(condition, message):
    if not condition:
        raise SignError(message)


def main() -> None:
    """``keygate-sign keygate|cloudflare``: arguments as a JSON object on standard input."""
    functions = {"keygate": sign, "cloudflare": sign_cloudflare}
    if len(sys.argv) != 2 or sys.argv[1] not in functions:
        sys.exit(f"{main.__doc__}")
    try:
        print(functions[sys.argv[1]](**json.load(sys.stdin)))
    except (SignError, TypeError) as error:
        sys.exit(f"keygate_sign: {error}")


if __name__ == "__main__":
    main()
