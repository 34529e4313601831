<?php

/**
 * Signs links that Keygate verifies: the formats keygate and cloudflare.
 *
 * Needs PHP 8.0; for Ed25519 its own extension sodium, which comes with it. Install the package
 * keygate/sign, or copy this file.
 *
 *     require 'keygate_sign.php';
 *     $url = Keygate\sign('https://media.example.com/cat.mp4', 'k1', $secret, time() + 3600);
 */

declare(strict_types=1);

namespace Keygate;

/** What was asked for cannot be signed, or Keygate would reject it. */
class SignError extends \InvalidArgumentException
{
}

/**
 * Signs a link in the format keygate and returns it.
 *
 * @param string $url absolute, or only path and query together with $anyHost
 * @param ?string $secret bytes: signs with HMAC-SHA256
 * @param int $expires unix seconds, as $notBefore
 * @param array<string, string> $headers name and value that a request must have; so $cookies
 * @param string $carrier 'query', 'path' (a segment /~kg=TOKEN/) or 'token': the bare token,
 *     for a header or a cookie
 * @param ?string $name of the parameter (kg) or segment (~kg)
 * @param ?string $privateKey PEM of PKCS #8: signs with Ed25519
 */
function sign(
    string $url,
    string $keyId,
    #[\SensitiveParameter] ?string $secret,
    int $expires,
    ?int $notBefore = null,
    string $method = 'GET',
    bool $anyHost = false,
    ?string $prefix = null,
    array $globs = [],
    bool $anyQuery = false,
    array $ignore = [],
    array $addresses = [],
    array $headers = [],
    array $cookies = [],
    ?string $account = null,
    ?string $once = null,
    string $carrier = 'query',
    ?string $name = null,
    #[\SensitiveParameter] ?string $privateKey = null,
): string {
    $name ??= $carrier === 'path' ? '~kg' : 'kg';
    [$origin, $host, $target, $path, $query] = parse($url, $carrier, $name);
    need(in_array($carrier, ['query', 'path', 'token'], true), "carrier: there is no $carrier");
    need($anyHost || $host !== '', 'url: has no host; give one, or anyHost');
    need($notBefore === null || $notBefore < $expires, 'notBefore: must be less than expires');
    if ($prefix !== null) {
        $prefix = readPath($prefix, 'prefix');
        need(str_ends_with($prefix, '/'), 'prefix: must end with /');
        need(str_starts_with($path, $prefix), 'prefix: the url is not below it');
        need($globs === [], 'globs: not together with prefix');
    }
    need(max(count($globs), count($ignore), count($addresses)) <= 16, 'a list is longer than 16');
    need(max(count($headers), count($cookies)) <= 8, 'headers, cookies: at most 8');
    need(($secret === null) !== ($privateKey === null), 'give either secret or privateKey');

    $tchar = '!#$%&\'*+.^_`|~0-9a-z-';
    $fields = encode('k', [$keyId], '[A-Za-z0-9._-]{1,64}')
        . encode('e', [$expires], '[1-9][0-9]{0,9}')
        . encode('n', given($notBefore), '[1-9][0-9]{0,9}')
        . encode('m', $method === 'GET' ? [] : [$method], '[A-Z-]{1,32}')
        . encode('h', $anyHost ? ['*'] : [])
        . encode('p', given($prefix))
        . encode('g', array_map(fn ($it) => glob($it), $globs))
        . encode('q', $anyQuery ? ['*'] : [])
        // Visible characters but # & * =, and perhaps a * at the end.
        . encode('i', $ignore, '[!"$%\'-)+-<>-~]+\*?')
        . encode('a', array_map(fn ($it) => address($it), $addresses))
        . encode('r', array_keys($headers), "[$tchar]+")
        . encode('c', array_keys($cookies), "[A-Z$tchar]+")
        . encode('u', given($account), '[!-~]{1,256}')
        . encode('o', given($once), '[A-Za-z0-9_-]{16,64}');
    $value = '(?![ \t])[^\x00-\x08\x0a-\x1f\x7f]*(?<![ \t])';
    $text = "keygate-link-v1\n" . encode('A', [$privateKey === null ? 'HS256' : 'EdDSA'])
        . $fields
        . encode('H', $anyHost ? [] : [$host])
        . encode('P', $prefix !== null || $globs !== [] ? [] : [$path])
        . encode('Q', $anyQuery ? [] : [withoutIgnored($query, $ignore)])
        . encode('R', $headers, $value)
        // One pair of double quotes is no part of a cookie's value (RFC 6265 section 4.1.1).
        . encode('C', preg_replace('/^"(.*)"$/Ds', '$1', $cookies), $value);
    $signature = $privateKey === null ? hmac($secret, $text) : ed25519($privateKey, $text);
    $token = 'kg1.' . base64Url($fields) . '.' . base64Url($signature);
    need(strlen($token) <= 4096, 'the token is longer than 4096 characters');
    return carry($token, $carrier, $name, $origin, $target);
}

/**
 * Signs a link in the format cloudflare and returns it.
 *
 * @param int $stamp the time of signing, or that of expiry if the policy says "stamp": "expires"
 * @param string $alphabet that of base64: 'standard' or 'url'
 * @param string $carrier 'query', or 'token': <stamp>-<MAC>, for a header
 * @param ?string $directory such as /a/: opens all below it, signed as in Cloudflare's
 *     documentation
 */
function signCloudflare(
    string $url,
    #[\SensitiveParameter] string $secret,
    int $stamp,
    string $alphabet = 'standard',
    string $name = 'verify',
    string $carrier = 'query',
    ?string $directory = null,
): string {
    [$origin, , $target, $path, $query] = parse($url, $carrier, $name);
    need(in_array($carrier, ['query', 'token'], true), "carrier: there is no $carrier");
    need(in_array($alphabet, ['standard', 'url'], true), "alphabet: there is no $alphabet");
    need(preg_match('/^[1-9][0-9]{9}$/D', "$stamp") === 1, 'stamp: must have ten digits');
    $rest = $query === null ? '' : "?$query";
    $message = $path . $rest;
    if ($directory !== null) {
        need($carrier === 'query', 'directory: only for links with a parameter');
        need(readPath($directory, 'directory') === $directory, 'directory: is not canonical');
        need(str_ends_with($directory, '/'), 'directory: must end with /');
        need(str_starts_with($target, $directory), 'directory: the url is not below it');
        $message = $directory . $rest . ($query === null ? '?' : '&') . "$name=";
    }
    $mac = hmac($secret, $message . $stamp);
    $text = $alphabet === 'url' ? base64Url($mac) : rawurlencode(base64_encode($mac));
    return carry("$stamp-$text", $carrier, $name, $origin, $target);
}

/** The canonical form: RFC 3986 section 6.2.2, and percent-encoded what no URI may hold. */
function canonical(string $text): string
{
    $text = preg_replace_callback('/["<>^`{|}]/', fn (array $it): string => rawurlencode($it[0]), $text);
    return preg_replace_callback('/%[0-9A-Fa-f]{2}/', function (array $found): string {
        $octet = rawurldecode($found[0]);
        return preg_match('/[A-Za-z0-9._~-]/', $octet) ? $octet : strtoupper($found[0]);
    }, $text);
}

/**
 * Origin, host as a client sends it, target; path and query (or null) in canonical form.
 *
 * @internal
 */
function parse(string $url, string $carrier, string $name): array
{
    $form = '~^(?:(https?)://([A-Za-z0-9._:\[\]-]+))?(/.*)$~Ds';
    need(preg_match($form, $url, $parts) === 1, 'url: must be http(s)://host/path, or /path');
    [, $scheme, $authority, $target] = $parts;
    // Clients leave the port of the scheme out.
    $host = strtolower(preg_replace($scheme === 'https' ? '/:443$/' : '/:80$/', '', $authority));
    [$path, $query] = explode('?', $target, 2) + [1 => null];
    visible($target, 'url');
    $isGood = preg_match('/[^!-~]|#|%(?![0-9A-Fa-f]{2})/', $query ?? '') === 0;
    need($isGood, 'url: wrong characters or a broken percent encoding in the query');
    $path = readPath($path, 'url');
    $query = $query === null ? null : canonical($query);
    need(preg_match('/^[A-Za-z0-9._~-]+$/D', $name) === 1, "name: $name is none");
    $isThere = $carrier === 'query' && withoutIgnored($query, [$name]) !== ($query ?? '');
    need(!$isThere, "url: has a parameter $name already");
    $isThere = $carrier === 'path' && str_contains($path, "/$name=");
    need(!$isThere, "url: has a segment $name already");
    return [$scheme === '' ? '' : "$scheme://$authority", $host, $target, $path, $query];
}

/**
 * A path that can be read in one way only, in canonical form.
 *
 * @internal
 */
function readPath(string $path, string $field): string
{
    visible($path, $field);
    $result = canonical($path);
    // As a server reads it that decodes slashes.
    $plain = str_replace('%2F', '/', $result);
    $isBad = preg_match('~^[^/]|^$|[^!-\~]|[#?\\\\]|%(?![0-9A-Fa-f]{2})~', $path)
        || preg_match('~//|%5C|%[01]|%7F|%C2%[89]|%25[0-9A-Fa-f]{2}~', $plain)
        || preg_match('~/(\.{1,2}(/|$)|\.{0,2}(;|%3B))~D', $plain)
        || preg_match('//u', rawurldecode($path)) !== 1;
    need(!$isBad, "$field: the path can be read in more than one way, or is none");
    return $result;
}

/** @internal */
function visible(string $text, string $field): void
{
    $advice = 'percent-encode each part with rawurlencode($part)';
    $isVisible = preg_match('/^[!-~]*$/D', $text) === 1;
    need($isVisible, "$field: has a blank, or a character that is not ASCII: $advice");
}

/** @internal */
function glob(string $text): string
{
    $glob = readPath($text, 'globs');
    need(!preg_match('~\*\*[^/]|[^/]\*\*~', $glob), 'globs: ** must be a whole segment');
    return $glob;
}

/**
 * The query without the parameters that are not signed.
 *
 * @internal
 */
function withoutIgnored(?string $query, array $ignore): string
{
    $isKept = function (string $parameter) use ($ignore): bool {
        $name = explode('=', $parameter, 2)[0];
        foreach ($ignore as $it) {
            $it = canonical($it);
            $isBeginning = str_ends_with($it, '*') && str_starts_with($name, substr($it, 0, -1));
            if ($name === $it || $isBeginning) {
                return false;
            }
        }
        return true;
    };
    return implode('&', array_filter(explode('&', $query ?? ''), $isKept));
}

/** @internal */
function carry(string $token, string $carrier, string $name, string $origin, string $target): string
{
    return match ($carrier) {
        'token' => $token,
        // In front: every relative link keeps it.
        'path' => "$origin/$name=$token$target",
        default => $origin . $target . (str_contains($target, '?') ? '&' : '?') . "$name=$token",
    };
}

/** @internal */
function encode(string $letter, array $values, string $form = '.*'): string
{
    $text = '';
    foreach ($values as $value) {
        need(preg_match("\x01^$form\$\x01Ds", (string) $value) === 1, "field $letter: is not of the form $form");
        $text .= $letter . strlen((string) $value) . ":$value";
    }
    return $text;
}

/** @internal */
function hmac(#[\SensitiveParameter] string $secret, string $text): string
{
    need(trim($secret) !== '', 'secret: is empty');
    return hash_hmac('sha256', $text, $secret, true);
}

/** @internal */
function ed25519(#[\SensitiveParameter] string $privateKey, string $text): string
{
    $form = '/^\s*-----BEGIN PRIVATE KEY-----([A-Za-z0-9+\/=\s]+)-----END PRIVATE KEY-----\s*$/D';
    $isPem = preg_match($form, $privateKey, $found) === 1;
    $der = $isPem ? base64_decode($found[1]) : '';
    // RFC 8410 section 7: what stands before the seed.
    $head = hex2bin('302e020100300506032b657004220420');
    need(strlen($der) === 48 && str_starts_with($der, $head), 'privateKey: is no Ed25519 key in PEM');
    $pair = sodium_crypto_sign_seed_keypair(substr($der, 16));
    return sodium_crypto_sign_detached($text, sodium_crypto_sign_secretkey($pair));
}

/** @internal */
function base64Url(string $bytes): string
{
    return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
}

/** @internal */
function given(mixed $value): array
{
    return $value === null ? [] : [$value];
}

/** @internal */
function address(string $text): string
{
    [$address, $bits] = explode('/', $text, 2) + [1 => '0'];
    $most = str_contains($address, ':') ? 128 : 32;
    $isOne = filter_var($address, FILTER_VALIDATE_IP) && preg_match('/^(0|[1-9]\d{0,2})$/D', $bits);
    need($isOne && (int) $bits <= $most, "addresses: $text is none");
    $mapped = str_starts_with(inet_pton($address), str_repeat("\0", 10) . "\xff\xff");
    $isNarrow = !$mapped || $address === $text || (int) $bits >= 96;
    need($isNarrow, 'addresses: a range of IPv4-mapped addresses needs at least 96 bits');
    return $text;
}

/** @internal */
function need(bool $condition, string $message): void
{
    $condition || throw new SignError($message);
}

/**
 * php keygate_sign.php keygate|cloudflare: arguments as a JSON object on standard input.
 *
 * @internal
 */
function main(array $arguments): int
{
    $functions = ['keygate' => __NAMESPACE__ . '\sign', 'cloudflare' => __NAMESPACE__ . '\signCloudflare'];
    try {
        $function = $functions[$arguments[1] ?? ''] ?? null;
        need($function !== null, 'say keygate or cloudflare, and give JSON on standard input');
        $given = json_decode(stream_get_contents(STDIN), true, 8, JSON_THROW_ON_ERROR);
        $named = ['secret' => null];
        foreach ($given as $key => $value) {
            $isPairs = in_array($key, ['headers', 'cookies'], true);
            $key = lcfirst(str_replace('_', '', ucwords($key, '_')));
            $named[$key] = $isPairs ? array_column($value, 1, 0) : $value;
        }
        echo $function(...$named), "\n";
        return 0;
    } catch (\Throwable $error) {
        fwrite(STDERR, 'keygate_sign: ' . $error->getMessage() . "\n");
        return 1;
    }
}

if (PHP_SAPI === 'cli' && realpath($_SERVER['SCRIPT_FILENAME']) === __FILE__) {
    exit(main($argv));
}
