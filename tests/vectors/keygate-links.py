"""Makes keygate-links.json: known answers of the format `keygate`, and forgeries.

Written from docs/signed-urls.md alone, not from the code that verifies. Needs the package
`cryptography` for Ed25519. Run it in this folder: `python3 keygate-links.py`.
"""

import base64
import hashlib
import hmac
import json
import re

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET = "known answers: no secret at all."
SEED = bytes(range(32))
PRIVATE = Ed25519PrivateKey.from_private_bytes(SEED)
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
END = 1767225600


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def field(letter, value):
    value = value.encode() if isinstance(value, str) else value
    return letter.encode() + str(len(value)).encode() + b":" + value


def canonical(text):
    def one(match):
        char = chr(int(match[0][1:], 16))
        return char if re.fullmatch(r"[A-Za-z0-9\-._~]", char) else match[0].upper()
    text = re.sub('["<>^`{|}]', lambda it: f"%{ord(it[0]):02X}", text)
    return re.sub("%[0-9A-Fa-f]{2}", one, text)


def fields_of(link):
    """The fields of the token, in the order of the table."""
    out = field("k", link["key_id"]) + field("e", str(link["expires"]))
    if link.get("not_before") is not None:
        out += field("n", str(link["not_before"]))
    if link["method"] != "GET":
        out += field("m", link["method"])
    if link.get("any_host"):
        out += field("h", "*")
    if link.get("prefix"):
        out += field("p", link["prefix"])
    for glob in link.get("globs", []):
        out += field("g", glob)
    if link.get("any_query"):
        out += field("q", "*")
    for letter, name in (("i", "ignore"), ("a", "addresses")):
        for value in link.get(name, []):
            out += field(letter, value)
    for letter, name in (("r", "headers"), ("c", "cookies")):
        for pair in link.get(name, []):
            out += field(letter, pair[0])
    for letter, name in (("u", "account"), ("o", "once")):
        if link.get(name):
            out += field(letter, link[name])
    return out


def is_ignored(parameter, link):
    name = parameter.split("=", 1)[0]
    return any(
        name.startswith(it[:-1]) if it.endswith("*") else name == it
        for it in map(canonical, link.get("ignore", []))
    )


def signed_text(link, fields):
    out = b"keygate-link-v1\n" + field("A", link["algorithm"]) + fields
    if not link.get("any_host"):
        out += field("H", link["host"].lower())
    if not link.get("prefix") and not link.get("globs"):
        out += field("P", canonical(link["path"]))
    if not link.get("any_query"):
        parameters = canonical(link["query"]).split("&") if link["query"] else []
        out += field("Q", "&".join(it for it in parameters if not is_ignored(it, link)))
    for pair in link.get("headers", []):
        out += field("R", pair[1])
    for pair in link.get("cookies", []):
        out += field("C", re.sub('^"(.*)"$', r"\1", pair[1]))
    return out


def signature(link, text):
    if link["algorithm"] == "EdDSA":
        return PRIVATE.sign(text)
    return hmac.new(SECRET.encode(), text, hashlib.sha256).digest()


def put(link, token, at="end"):
    """The URL with the token in it, if its carrier is in the URL."""
    path, query, name = link["path"], link["query"], link["name"]
    if link["carrier"] == "path":
        path = f"/{name}={token}{path}"
    if link["carrier"] == "query":
        parameters = [] if query is None else query.split("&")
        index = {"end": len(parameters), "start": 0, "middle": 1}[at]
        query = "&".join(parameters[:index] + [f"{name}={token}"] + parameters[index:])
    return f"https://{link['host']}{path}" + ("" if query is None else f"?{query}")


def link_of(**given):
    link = {
        "algorithm": "HS256", "key_id": "k1", "expires": END, "method": "GET",
        "host": "media.example.com", "path": "/video/cat.mp4", "query": None,
        "carrier": "query", "name": "kg",
    }
    return {**link, **given}


def secret_of(link):
    if link["algorithm"] == "EdDSA":
        return {"ed25519_seed_hex": SEED.hex(), "public_key_base64": base64.b64encode(PUBLIC).decode()}
    return SECRET


def vector(case, at="end", **given):
    link = link_of(**given)
    fields = fields_of(link)
    text = signed_text(link, fields)
    token = f"kg1.{b64url(fields)}.{b64url(signature(link, text))}"
    expected = put(link, token, at)
    return {
        "id": f"keygate/{case}",
        "system": "keygate",
        "inputs": {**link, "token": token, "signed_text": base64.b64encode(text).decode()},
        "secret": secret_of(link),
        "expected": expected,
        "how": "made by keygate-links.py",
        "provenance": "generated",
        "now_valid": link.get("not_before") or link["expires"] - 1,
        "now_expired": link["expires"],
    }


VECTORS = [
    vector("plain"),
    vector("query_signed", query="q=hd&lang=de"),
    vector("token_first", at="start", query="q=hd&lang=de"),
    vector("token_in_the_middle", at="middle", query="q=hd&lang=de"),
    vector("query_odd", query="a&&b=&=c&d=e=f?/:@!$'()*,;~"),
    vector("root", path="/"),
    vector("another_parameter_name", name="token"),
    vector("eddsa", algorithm="EdDSA", key_id="2026-01.a_b"),
    vector("eddsa_everything", algorithm="EdDSA", query="x=1&utm_source=mail", method="PUT",
           not_before=END - 60, ignore=["utm_*"], addresses=["192.0.2.0/24"], client="192.0.2.9",
           headers=[["x-device", "tv"]], cookies=[["sid", "s1"]], account="alice"),
    vector("eddsa_prefix_in_the_path", algorithm="EdDSA", carrier="path", name="~kg",
           prefix="/video/", any_query=True),
    vector("not_before", not_before=END - 3600),
    vector("method", method="POST"),
    vector("host_in_upper_case", host="Media.Example.COM"),
    vector("host_with_a_port", host="media.example.com:8443"),
    vector("any_host", any_host=True),
    vector("lower_case_triplets", path="/caf%c3%a9/a%2bb", query="x=%2b%20%e2%82%ac"),
    vector("over_encoded", path="/%76ideo/%63at%2Emp4", query="%71=%68d%7E"),
    vector("utf8", path="/%E6%98%A0%E7%94%BB/%F0%9F%90%88.mp4"),
    vector("reserved_stays", path="/a%40b%3Bc@d", query="x=%26%3D&y=+"),
    vector("not_of_uris", path='/a|b{c}^`"<>%7c.mp4', query='x|={}^`"<>'),
    vector("not_of_uris_prefix", path="/a%7cb/c", prefix="/a%7Cb/"),
    vector("any_query", query="w=100", any_query=True),
    vector("ignored", query="utm_source=mail&q=hd&ref=x&utm_medium", ignore=["utm_*", "ref"]),
    vector("ignored_over_encoded", query="utm%5Fsource=mail&q=hd", ignore=["utm_*"]),
    vector("all_ignored", query="utm_source=mail", ignore=["utm_*"]),
    vector("prefix", path="/video/a/b.ts", prefix="/video/"),
    vector("prefix_everything", prefix="/", any_query=True, any_host=True),
    vector("prefix_encoded", path="/caf%c3%a9/a", prefix="/caf%C3%A9/"),
    vector("globs", path="/img/cat.jpg", globs=["/video/**", "/img/*.jpg"]),
    vector("glob_bare_prefix", path="/video", globs=["/video/**"]),
    vector("address_v4", addresses=["192.0.2.7"], client="192.0.2.7"),
    vector("addresses", addresses=["10.0.0.0/8", "2001:db8:1::/64"], client="2001:db8:1::9"),
    vector("header", headers=[["user-agent", "tv/1.0 (x)"]]),
    vector("headers", headers=[["x-b", "2"], ["x-a", "1"]]),
    vector("cookie", cookies=[["sid", "s-1=="]]),
    vector("cookie_quoted", cookies=[["sid", '"s-1"']]),
    vector("address_mapped", addresses=["::ffff:192.0.2.0/120"], client="192.0.2.7"),
    vector("account", account="alice@example.com"),
    vector("carrier_path", carrier="path", name="~kg", query="q=hd"),
    vector("carrier_header", carrier="header", name="x-link", query="q=hd"),
    vector("carrier_cookie", carrier="cookie", name="kg", query="q=hd"),
    vector("carrier_cookie_beside_a_signed_one", carrier="cookie", cookies=[["sid", "s1"]]),
    vector("everything", query="x=1&utm_source=mail", method="PUT", not_before=END - 60,
           globs=["/video/*", "/img/**"], ignore=["utm_*", "gclid"],
           addresses=["192.0.2.0/24", "2001:db8::1"], client="192.0.2.9",
           headers=[["x-device", "tv"], ["accept-language", "de"]],
           cookies=[["sid", "s1"], ["lang", "de"]], account="alice"),
]

# A signer can make these; whether they pass, the key service says.
ONCE = [
    vector("once", once="0123456789abcdef-_ABCDEF"),
    vector("once_eddsa", algorithm="EdDSA", once="A" * 64),
]
for it in ONCE:
    del it["now_expired"]
    it["expected_ours"] = "KEY_SERVICE"


def attack(case, what, forged, **given):
    """`forged` makes the URL of the forgery out of the vector."""
    good = vector(case, **given)
    return {
        "id": f"attack/keygate_{case}",
        "system": "keygate",
        "description": what,
        "inputs": good["inputs"],
        "legit": good["expected"],
        "attack": forged(good),
        "secret": good["secret"],
        "now": good["now_valid"],
        "proof": "made by keygate-links.py",
        "expected_ours": "REJECT",
    }


def with_fields(change, resign=False):
    """Other fields in the token, with the old signature or with a right one."""
    def forge(good):
        link, (_, fields, old) = good["inputs"], good["inputs"]["token"].split(".")
        fields = base64.urlsafe_b64decode(fields + "=" * (-len(fields) % 4))
        changed = change(fields)
        assert changed != fields
        new = b64url(signature(link, signed_text(link, changed))) if resign else old
        return good["expected"].replace(link["token"], f"kg1.{b64url(changed)}.{new}")
    return forge


def with_token(change):
    def forge(good):
        token = good["inputs"]["token"]
        changed = change(token)
        assert changed != token
        return good["expected"].replace(token, changed)
    return forge


def with_url(old, new):
    def forge(good):
        assert old in good["expected"]
        return good["expected"].replace(old, new, 1)
    return forge


def confused(good):
    """HMAC under the public key, as if it were a secret."""
    link = good["inputs"]
    fields = fields_of(link)
    text = signed_text({**link, "algorithm": "HS256"}, fields)
    mac = hmac.new(PUBLIC, text, hashlib.sha256).digest()
    return put(link, f"kg1.{b64url(fields)}.{b64url(mac)}")


def swap(one, other):
    return lambda fields: fields.replace(one, other, 1)


ATTACKS = [
    attack("path_expiry_shift", "A1: a digit moves from the path to the expiry",
           lambda good: good["expected"].replace("/seg1", "/seg").replace(
               good["inputs"]["token"],
               with_fields(swap(b"e10:1767225600", b"e10:1176722560"))(good).split("kg=")[1]),
           path="/seg1"),
    attack("later_end", "the expiry is a later one",
           with_fields(swap(b"1767225600", b"1798761600"))),
    attack("query_shift", "A2: a byte of the query goes", with_url("id=51", "id=5"), query="id=51"),
    attack("address_dropped", "A4: the binding to an address goes",
           with_fields(swap(b"a9:192.0.2.7", b"")), addresses=["192.0.2.7"], client="192.0.2.7"),
    attack("account_swapped", "another account", with_fields(swap(b"alice", b"admin")), account="alice"),
    attack("second_expiry", "A6: a second end, rightly signed",
           with_fields(swap(b"e10:1767225600", b"e10:1767225600e10:1798761600"), resign=True)),
    attack("unknown_field", "A6: an unknown field, rightly signed",
           with_fields(lambda it: it + b"z1:1", resign=True)),
    attack("fields_out_of_order", "the key after the end, rightly signed",
           with_fields(lambda it: it[5:] + it[:5], resign=True)),
    attack("length_with_a_zero", "a length with a leading zero, rightly signed",
           with_fields(swap(b"k2:", b"k02:"), resign=True)),
    attack("expiry_with_a_zero", "A21: an end with a leading zero, rightly signed",
           with_fields(swap(b"e10:1767225600", b"e11:01767225600"), resign=True)),
    attack("expiry_with_a_sign", "A21: an end with a sign, rightly signed",
           with_fields(swap(b"e10:1767225600", b"e11:+1767225600"), resign=True)),
    attack("token_twice", "A7: the token stands twice",
           lambda good: f"{good['expected']}&kg={good['inputs']['token']}"),
    attack("token_name_encoded", "A7: the name of the parameter is percent-encoded",
           with_url("?kg=", "?%6bg=")),
    attack("dot_segment", "A9", with_url("/video/", "/video/%2e%2e/"), prefix="/video/"),
    attack("encoded_slash", "A10", with_url("/video/cat", "/video%2Fcat")),
    attack("double_slash", "A11", with_url("/video/cat", "/video//cat"), prefix="/video/"),
    attack("fragment", "A12", with_url("?kg=", "#?kg=")),
    attack("broken_triplet_joins", "A13: what stands behind a broken triplet is decoded into it",
           with_url("x=%25", "x=%2%35"), query="x=%25"),
    attack("plus_is_no_space", "A14", with_url("x=%20", "x=+"), query="x=%20"),
    attack("prefix_is_no_beginning", "A15: /video-private is not below /video/",
           with_url("/video/", "/video-private/"), prefix="/video/"),
    attack("glob_star_is_one_segment", "A16", with_url("/img/", "/img/a/"),
           path="/img/cat.jpg", globs=["/img/*.jpg"]),
    attack("padding", "A17: base64 with padding", with_token(lambda it: it + "=")),
    attack("trailing_bits", "A17: the last character with other trailing bits",
           with_token(lambda it: it[:-1] + chr(ord(it[-1]) + 1))),
    attack("junk", "A17: a character of no alphabet", with_token(lambda it: it[:9] + "!" + it[9:])),
    attack("mac_truncated", "A19: half of a MAC", with_token(lambda it: it[:-22])),
    attack("mac_empty", "A19: no MAC", with_token(lambda it: it.rsplit(".", 1)[0] + ".")),
    attack("other_version", "A19: another version", with_token(lambda it: "kg2" + it[3:])),
    attack("algorithm_confused", "A19: HMAC under the public key", confused, algorithm="EdDSA"),
    attack("unknown_key", "A23: a key that the ring does not have",
           with_fields(swap(b"k2:k1", b"k2:k2"), resign=True)),
    attack("other_host", "A29", with_url("media.example.com", "other.example.com")),
    attack("parameter_added", "A33: a parameter more", lambda good: good["expected"] + "&x=1"),
    attack("parameters_swapped", "the order of the query is signed",
           with_url("a=1&b=2", "b=2&a=1"), query="a=1&b=2"),
    attack("ignored_by_nobody", "the token ignores what it did not ignore when it was signed",
           with_fields(lambda it: it + b"i5:utm_*"), query="utm_source=mail"),
]

if __name__ == "__main__":
    known = {
        "provenance": "Known answers of the format `keygate`, made by keygate-links.py from docs/signed-urls.md. "
                      "`inputs` is what a signer is given, with the token and the signed text (base64); the private key is that of the seed 00 01 … 1f and protects nothing.",
        "vectors": VECTORS + ONCE,
        "attacks": ATTACKS,
    }
    with open("keygate-links.json", "w", encoding="utf-8") as out:
        json.dump(known, out, indent=1, ensure_ascii=False)
        out.write("\n")
