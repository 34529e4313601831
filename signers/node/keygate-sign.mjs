/**
 * Signs links that Keygate verifies: the formats `keygate` and `cloudflare`.
 *
 * One module for Node (20 or later) and browsers: WebCrypto and nothing else. Install the
 * package `keygate-sign`, or copy this file. In a browser it needs a secure context. A browser
 * that holds a secret has given it away: sign there only with a key of the person in front of it.
 *
 *     import { sign } from "keygate-sign";
 *     await sign("https://media.example.com/cat.mp4", { keyId: "k1", secret, expires });
 */

const MAX_TOKEN = 4096;
const TCHAR = "!#$%&'*+.^_`|~0-9a-z-";
const MOST = { globs: 16, ignore: 16, addresses: 16, headers: 8, cookies: 8 };
const SECONDS = /^[1-9][0-9]{0,9}$/;
const utf8 = new TextEncoder();

/** What was asked for cannot be signed, or Keygate would reject it. */
export class SignError extends Error {}

/**
 * Signs a link in the format `keygate`: resolves to the URL, or the bare token.
 *
 * `url` is absolute, or only path and query together with `anyHost`. `expires` and `notBefore`
 * are unix seconds; a fraction is dropped. `secret` (text or Uint8Array) signs with HMAC-SHA256, `privateKey` (PEM of
 * PKCS #8, or a CryptoKey) with Ed25519. `headers` and `cookies` are pairs of name and value
 * that a request must have. `carrier` is "query", "path" (a segment `/~kg=TOKEN/`) or "token"
 * (the bare token, for a header or cookie); `name` that of the parameter or segment.
 */
export async function sign(url, { keyId, secret, privateKey, expires, notBefore, method = "GET",
  anyHost = false, prefix, globs = [], anyQuery = false, ignore = [], addresses = [], headers = [],
  cookies = [], account, once, carrier = "query", name = carrier === "path" ? "~kg" : "kg",
  ...unknown }) {
  rejectUnknown(unknown);
  const { origin, host, target, path, query } = read(url, carrier, name);
  match(/^(query|path|token)$/, carrier, "carrier");
  // "false" would be true.
  for (const [field, it] of Object.entries({ anyHost, anyQuery })) {
    need(typeof it === "boolean", `${field}: must be true or false`);
  }
  need(anyHost || host, "url: has no host; give one, or anyHost");
  if (given(prefix)) {
    prefix = readPath(prefix, "prefix");
    need(prefix.endsWith("/"), "prefix: must end with /");
    need(path.startsWith(prefix), "prefix: the url is not below it");
    need(globs.length === 0, "globs: not together with prefix");
  }
  need(!given(notBefore) || Math.floor(notBefore) < Math.floor(expires), "notBefore: must be less than expires");
  for (const [field, list] of Object.entries({ globs, ignore, addresses, headers, cookies })) {
    need(list.length <= MOST[field], `${field}: at most ${MOST[field]}`);
  }

  const fields = encode([
    ["k", match(/^[A-Za-z0-9._-]{1,64}$/, keyId, "keyId")],
    ["e", seconds(expires, "expires")],
    given(notBefore) && ["n", seconds(notBefore, "notBefore")],
    method !== "GET" && ["m", match(/^[A-Z-]{1,32}$/, method, "method")],
    anyHost && ["h", "*"],
    given(prefix) && ["p", prefix],
    ...globs.map((it) => ["g", readGlob(it)]),
    anyQuery && ["q", "*"],
    // Visible characters but # & * =, and perhaps a * at the end.
    ...ignore.map((it) => ["i", match(/^[!"$%'-)+-<>-~]+\*?$/, it, "ignore")]),
    ...addresses.map((it) => ["a", address(it)]),
    ...headers.map(([it]) => ["r", match(RegExp(`^[${TCHAR}]+$`), it, "headers")]),
    ...cookies.map(([it]) => ["c", match(RegExp(`^[A-Z${TCHAR}]+$`), it, "cookies")]),
    given(account) && ["u", match(/^[!-~]{1,256}$/, account, "account")],
    given(once) && ["o", match(/^[A-Za-z0-9_-]{16,64}$/, once, "once")],
  ]);
  const ofRequest = encode([
    !anyHost && ["H", host],
    !given(prefix) && globs.length === 0 && ["P", path],
    !anyQuery && ["Q", withoutIgnored(query, ignore)],
    ...headers.map(([, value]) => ["R", fieldValue(value, "headers")]),
    // One pair of double quotes is no part of a cookie's value (RFC 6265 section 4.1.1).
    ...cookies.map(([, value]) => ["C", fieldValue(value, "cookies").replace(/^"(.*)"$/s, "$1")]),
  ]);
  need(given(secret) !== given(privateKey), "give either secret or privateKey");
  const algorithm = encode([["A", given(secret) ? "HS256" : "EdDSA"]]);
  const text = `keygate-link-v1\n${algorithm}${fields}${ofRequest}`;
  const signature = given(secret) ? await hmac(secret, text) : await ed25519(privateKey, text);
  const token = `kg1.${base64url(utf8.encode(fields))}.${base64url(signature)}`;
  need(token.length <= MAX_TOKEN, `the token is longer than ${MAX_TOKEN} characters`);
  return carry(token, carrier, name, origin, target);
}

/**
 * Signs a link in the format `cloudflare`: resolves to the URL, or with the carrier "token" to
 * `<stamp>-<MAC>`, for a header.
 *
 * `stamp` is the time of signing, or that of expiry if the policy says `"stamp": "expires"`.
 * `alphabet` is that of base64, "standard" or "url". `directory`, such as `/a/`, opens all
 * below it, signed as in Cloudflare's documentation.
 */
export async function signCloudflare(url, { secret, stamp, alphabet = "standard", name = "verify",
  carrier = "query", directory, ...unknown }) {
  rejectUnknown(unknown);
  const { origin, target, path, query } = read(url, carrier, name);
  match(/^(query|token)$/, carrier, "carrier");
  match(/^(standard|url)$/, alphabet, "alphabet");
  stamp = match(/^.{10}$/, seconds(stamp, "stamp"), "stamp");
  const rest = given(query) ? `?${query}` : "";
  let message = path + rest;
  if (given(directory)) {
    need(carrier === "query", "directory: only for links with a parameter");
    need(readPath(directory, "directory") === directory, "directory: is not canonical");
    need(directory.endsWith("/"), "directory: must end with /");
    need(target.startsWith(directory), "directory: the url is not below it");
    message = `${directory}${rest}${given(query) ? "&" : "?"}${name}=`;
  }
  const mac = await hmac(secret, `${message}${stamp}`);
  const text = alphabet === "url" ? base64url(mac) : encodeURIComponent(base64(mac));
  return carry(`${stamp}-${text}`, carrier, name, origin, target);
}

/** The canonical form: RFC 3986 section 6.2.2, and percent-encoded what no URI may hold. */
export function canonical(text) {
  const encoded = text.replace(/["<>^`{|}]/g, (it) => `%${it.charCodeAt(0).toString(16).toUpperCase()}`);
  return encoded.replace(/%[0-9A-Fa-f]{2}/g, (triplet) => {
    const character = String.fromCharCode(parseInt(triplet.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : triplet.toUpperCase();
  });
}

/** Origin, host as a client sends it, target; path and query (or undefined) in canonical form. */
function read(url, carrier, name) {
  const parts = /^(?:(https?):\/\/([A-Za-z0-9._:[\]-]+))?((\/[^?]*)(?:\?(.*))?)$/s.exec(url);
  need(parts, "url: must be http(s)://host/path, or /path");
  const [, scheme, authority = "", target, rawPath, rawQuery] = parts;
  // Clients leave the port of the scheme out.
  const host = authority.replace(scheme === "https" ? /:443$/ : /:80$/, "").toLowerCase();
  visible(rawQuery ?? "", "url");
  need(!/#|%(?![0-9A-Fa-f]{2})/.test(rawQuery ?? ""), "url: wrong characters in the query");
  const path = readPath(rawPath, "url");
  const query = rawQuery === undefined ? undefined : canonical(rawQuery);
  match(/^[A-Za-z0-9._~-]+$/, name, "name");
  const names = (query ?? "").split("&").map(nameOf);
  const isThere = carrier === "path" ? path.includes(`/${name}=`) : names.includes(name);
  need(carrier === "token" || !isThere, `url: has a ${name} already`);
  return { origin: scheme ? `${scheme}://${authority}` : "", host, target, path, query };
}

/** A path that can be read in one way only, in canonical form. */
function readPath(path, field) {
  visible(path, field);
  match(/^\//, path, field);
  const result = canonical(path);
  // As a server reads it that decodes slashes.
  const plain = result.replaceAll("%2F", "/");
  const bad = /[#?\\]|%(?![0-9A-Fa-f]{2})/.test(path)
    || /\/\/|%5C|%[01]|%7F|%C2%[89]|%25[0-9A-Fa-f]{2}/.test(plain)
    || /\/(\.{1,2}(\/|$)|\.{0,2}(;|%3B))/.test(plain) || !isText(result);
  need(!bad, `${field}: the path can be read in more than one way`);
  return result;
}

function visible(text, field) {
  need(typeof text !== "string" || /^[!-~]*$/.test(text), `${field}: has a blank, or a character \
that is not ASCII: percent-encode each part with encodeURIComponent(part)`);
}

function readGlob(text) {
  const glob = readPath(text, "globs");
  const isGood = glob.split("/").every((it) => it === "**" || !it.includes("**"));
  need(isGood, "globs: ** must be a whole segment");
  return glob;
}

/** Whether it is UTF-8 when decoded. */
function isText(path) {
  try {
    return decodeURIComponent(path).length > 0;
  } catch {
    return false;
  }
}

/** The query without the parameters that are not signed. */
function withoutIgnored(query, ignore) {
  const isIgnored = (name) => ignore.map(canonical).some((it) =>
    it.endsWith("*") ? name.startsWith(it.slice(0, -1)) : name === it);
  const parameters = given(query) ? query.split("&") : [];
  return parameters.filter((it) => !isIgnored(nameOf(it))).join("&");
}

const nameOf = (parameter) => parameter.split("=", 1)[0];

function carry(token, carrier, name, origin, target) {
  if (carrier === "token") return token;
  // In front: every relative link keeps it.
  if (carrier === "path") return `${origin}/${name}=${token}${target}`;
  return `${origin}${target}${target.includes("?") ? "&" : "?"}${name}=${token}`;
}

function encode(fields) {
  return fields.filter(Boolean)
    .map(([letter, value]) => `${letter}${utf8.encode(value).length}:${value}`).join("");
}

async function hmac(secret, text) {
  const bytes = typeof secret === "string" ? utf8.encode(secret) : secret;
  need(bytes?.some((it) => ![9, 10, 11, 12, 13, 32].includes(it)), "secret: is empty");
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, utf8.encode(text)));
}

async function ed25519(privateKey, text) {
  let key = privateKey;
  if (typeof key === "string") {
    const pem = /^\s*-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END PRIVATE KEY-----\s*$/;
    const body = pem.exec(key);
    need(body, "privateKey: is no PEM (BEGIN PRIVATE KEY)");
    const der = Uint8Array.from(atob(body[1].replace(/\s/g, "")), (it) => it.charCodeAt(0));
    key = await crypto.subtle.importKey("pkcs8", der, { name: "Ed25519" }, false, ["sign"]);
  }
  return new Uint8Array(await crypto.subtle.sign("Ed25519", key, utf8.encode(text)));
}

const base64 = (bytes) => btoa(String.fromCharCode(...bytes));
const base64url = (bytes) =>
  base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const given = (value) => value !== undefined && value !== null;

/** Unix seconds; `Date.now() / 1000` has a fraction, which is dropped. */
function seconds(time, field) {
  const whole = typeof time === "number" ? Math.floor(time) : time;
  return match(SECONDS, String(whole), field);
}

function address(text) {
  const [, ip = "", bits = "0"] = /^([0-9A-Fa-f.:]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const url = ip.includes(":") ? `http://[${ip}]/` : `http://${ip}/`;
  const isWhole = URL.canParse(url) && (ip.includes(":") || new URL(url).hostname === ip);
  need(isWhole && bits <= (ip.includes(":") ? 128 : 32), `addresses: ${text} is none`);
  const isMapped = /^\[::ffff:[^:]+:[^:]+\]$/.test(new URL(url).hostname) && text.includes("/");
  need(!isMapped || bits >= 96, "addresses: a range of IPv4-mapped addresses needs at least 96 bits");
  return text;
}

function fieldValue(text, field) {
  const isWrong = /[\x00-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/.test(text);
  need(typeof text === "string" && !isWrong, `${field}: wrong value`);
  return text;
}

function match(pattern, text, field) {
  need(typeof text === "string" && pattern.test(text), `${field}: ${text} is not of the form ${pattern.source}`);
  return text;
}

function rejectUnknown(unknown) {
  need(Object.keys(unknown).length === 0, `there is no field ${Object.keys(unknown)[0]}`);
}

function need(condition, message) {
  if (!condition) throw new SignError(message);
}

/**
 * The command: `node keygate-sign.mjs keygate|cloudflare`, arguments as a JSON object on standard
 * input. Sets the exit code 1 for a link that is not signed.
 *
 * @internal
 */
export async function main(format) {
  try {
    const functions = { keygate: sign, cloudflare: signCloudflare };
    need(Object.hasOwn(functions, format ?? ""), "say keygate or cloudflare, and give JSON on stdin");
    // Node 18 has it, but not yet as a global.
    globalThis.crypto ??= (await import("node:crypto")).webcrypto;
    let input = "";
    for await (const chunk of process.stdin.setEncoding("utf8")) input += chunk;
    const camel = (key) => key.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
    const fields = Object.entries(JSON.parse(input)).map(([key, value]) => [camel(key), value]);
    const { url, ...link } = Object.fromEntries(fields);
    console.log(await functions[format](url, link));
  } catch (error) {
    console.error(`keygate-sign: ${error.message}`);
    process.exitCode = 1;
  }
}

if (globalThis.process?.argv?.[1] && new URL(`file://${process.argv[1]}`).href === import.meta.url) {
  main(process.argv[2]);
}
