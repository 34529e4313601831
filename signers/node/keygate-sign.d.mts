/** What was asked for cannot be signed, or Keygate would reject it. */
export class SignError extends Error {}

/** Where a link carries its token: a parameter, a segment `/~kg=TOKEN/`, or the bare token. */
export type Carrier = "query" | "path" | "token";

/** The key: bytes for HMAC-SHA256, or a private key for Ed25519 (PEM of PKCS #8, or a `CryptoKey`). */
export type Key =
  | { secret: string | Uint8Array; privateKey?: undefined }
  | { secret?: undefined; privateKey: string | CryptoKey };

/** The fields of a link in the format `keygate`. */
export type Link = Key & {
  /** The id of the key in the ring. */
  keyId: string;
  /** Unix seconds, as `notBefore`; a fraction is dropped. */
  expires: number;
  notBefore?: number;
  /** "GET", which also permits HEAD, by default. */
  method?: string;
  /** The link works on any host. */
  anyHost?: boolean;
  /** Every path below it; ends with `/`. */
  prefix?: string;
  /** Every path that one of them matches. */
  globs?: string[];
  /** The link works with any query. */
  anyQuery?: boolean;
  /** Parameters that are not signed. */
  ignore?: string[];
  /** The link works only from these addresses and ranges. */
  addresses?: string[];
  /** Names and values that a request must have. */
  headers?: [name: string, value: string][];
  cookies?: [name: string, value: string][];
  /** The account that the upstream receives. */
  account?: string;
  /** The id of a link that works once: 16 random bytes, in base64url or hex. */
  once?: string;
  carrier?: Carrier;
  /** The name of the parameter ("kg") or of the segment ("~kg"). */
  name?: string;
};

/** The fields of a link in the format `cloudflare`. */
export interface CloudflareLink {
  secret: string | Uint8Array;
  /** The time of signing, or that of expiry if the policy says `"stamp": "expires"`; unix seconds. */
  stamp: number;
  /** The alphabet of base64; "standard" by default. */
  alphabet?: "standard" | "url";
  /** The name of the parameter: "verify". */
  name?: string;
  /** "token" resolves to `<stamp>-<MAC>`, for a header. */
  carrier?: "query" | "token";
  /** Such as `/a/`: the link works for all below it. */
  directory?: string;
}

/**
 * Signs a link in the format `keygate`: resolves to the URL, or the bare token.
 *
 * `url` is absolute, or only path and query together with `anyHost`.
 *
 * @throws SignError
 */
export function sign(url: string, link: Link): Promise<string>;

/**
 * Signs a link in the format `cloudflare`: resolves to the URL, or to `<stamp>-<MAC>`.
 *
 * @throws SignError
 */
export function signCloudflare(url: string, link: CloudflareLink): Promise<string>;

/** The canonical form of a path or a query: RFC 3986 section 6.2.2. */
export function canonical(text: string): string;
