#!/usr/bin/env bash
# Signs links that Keygate verifies: the formats keygate and cloudflare.
# Needs bash 4.4, openssl (3.0 for Ed25519), od and tr.
#
#   KEYGATE_SECRET=… keygate-sign.sh keygate    --key-id ID --expires SECONDS [OPTION]… URL
#   KEYGATE_SECRET=… keygate-sign.sh cloudflare --stamp SECONDS [OPTION]… URL
#
# The secret is in the environment: arguments can be seen by every user of the machine.
# With KEYGATE_PRIVATE_KEY, PEM of PKCS #8, instead of it the signature is Ed25519.
#
# Both:       --carrier query|token   in a parameter, or the bare token for a header or cookie
#             --name NAME             of the parameter (kg, verify) or segment (~kg)
# keygate:    --carrier path          in a segment of the path, /~kg=TOKEN/
#             --not-before SECONDS    --method METHOD     --any-host     --any-query
#             --prefix /PATH/         --account NAME      --once ID
#             --header NAME VARIABLE  --cookie NAME VARIABLE: a request must have the value
#                                     that this variable of the environment has
#             --glob GLOB --ignore NAME --address CIDR: as often as needed
#             URL is absolute, or only path and query with --any-host.
# cloudflare: --alphabet standard|url of base64
#             --directory /PATH/      opens all below it, as in Cloudflare's documentation
#             --stamp is the time of signing, or of expiry with "stamp": "expires"
set -euo pipefail
# Lengths are those of bytes.
export LC_ALL=C
# Names of headers (RFC 9110 section 5.6.2), in lower case.
readonly TOKEN="[!#\$%&'*+.^_\`|~0-9a-z-]+"

die() {
  printf 'keygate-sign: %s\n' "$*" >&2
  exit 1
}

# match TEXT FORM FIELD: the text has this form, an extended regular expression.
match() { [[ $1 =~ ^($2)$ ]] || die "$3: is not of the form $2"; }

# canonical TEXT: RFC 3986 section 6.2.2, and percent-encoded what no URI may hold.
canonical() {
  local rest=$1 result='' digits octet outside='"<>^`{|}' at
  for ((at = 0; at < ${#outside}; at++)); do
    printf -v octet '%%%02X' "'${outside:at:1}"
    rest=${rest//"${outside:at:1}"/$octet}
  done
  while [[ $rest == *%* ]]; do
    result+=${rest%%\%*}
    rest=${rest#*%}
    digits=${rest:0:2}
    if [[ $digits =~ ^[0-9A-Fa-f]{2}$ ]]; then
      printf -v octet '%b' "\\x$digits"
      if [[ $octet == [A-Za-z0-9._~-] ]]; then result+=$octet; else result+=%${digits^^}; fi
      rest=${rest:2}
    else
      result+=%
    fi
  done
  printf %s "$result$rest"
}

# visible TEXT FIELD: the text needs no percent encoding before it is signed.
visible() {
  [[ $1 != *[^!-~]* ]] || die "$2: has a blank, or a character that is not ASCII: percent-encode each part" \
    "with jq -rn --arg part PART '\$part | @uri'"
}

# one_way PATH FIELD: prints the canonical form of a path that can be read in one way only.
one_way() {
  local path=$1 plain next='%[89AB][0-9A-F]' text
  visible "$path" "$2"
  plain=$(canonical "$path")
  text="[^%]|%[0-7][0-9A-F]|%(C[2-9A-F]|D[0-9A-F])$next|%E0%[AB][0-9A-F]$next"
  text+="|%E[1-9A-CEF]$next$next|%ED%[89][0-9A-F]$next|%F0%[9AB][0-9A-F]$next$next"
  text+="|%F[1-3]$next$next$next|%F4%8[0-9A-F]$next$next"
  local dots='/([.]{1,2}(/|$)|[.]{0,2}(;|%3B))'
  local other='//|%5C|%[01]|%7F|%C2%[89]|%25[0-9A-Fa-f]{2}'
  if [[ $path != /* || $path == *[^!-~]* || $path == *[#?\\]* ]] ||
    [[ ${path//%[0-9A-Fa-f][0-9A-Fa-f]/} == *%* || ! $plain =~ ^($text)*$ ]] ||
    [[ ${plain//%2F//} =~ $dots || ${plain//%2F//} =~ $other ]]; then
    die "$2: the path can be read in more than one way, or is none"
  fi
  printf %s "$plain"
}

# field LETTER TEXT [FORM]: prints a field.
field() {
  match "$2" "${3:-.*}" "field $1"
  printf '%s%d:%s' "$1" "${#2}" "$2"
}

# kept QUERY NAME...: prints the query without these parameters; `*` at the end is any end.
kept() {
  local query="$1&" parameter name kept=()
  shift
  while [[ $query ]]; do
    parameter=${query%%&*}
    query=${query#*&}
    for name in "$@"; do
      name=$(canonical "$name")
      if [[ $name == *'*' && ${parameter%%=*} == "${name%'*'}"* ]] || [[ ${parameter%%=*} == "$name" ]]; then
        continue 2
      fi
    done
    kept+=("$parameter")
  done
  local IFS='&'
  printf %s "${kept[*]-}"
}

hex() { od -An -v -tx1 | tr -d ' \n'; }
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
# octets HEX [MASK]: prints the bytes, each XOR the mask.
octets() {
  local at escaped='' octet
  for ((at = 0; at < ${#1}; at += 2)); do
    printf -v octet '\\x%02x' $((16#${1:at:2} ^ ${2:-0}))
    escaped+=$octet
  done
  printf '%b' "$escaped"
}

# hmac TEXT: prints the bytes of the MAC. RFC 2104 by hand: openssl takes a key from its
# arguments only, where others see it.
hmac() {
  local key inner
  [[ ${KEYGATE_SECRET-} == *[![:space:]]* ]] || die 'KEYGATE_SECRET: is empty'
  key=$(printf %s "$KEYGATE_SECRET" | hex)
  if ((${#key} > 128)); then key=$(octets "$key" | openssl dgst -sha256 -binary | hex); fi
  while ((${#key} < 128)); do key+=00; done
  inner=$({ octets "$key" 0x36 && printf %s "$1"; } | openssl dgst -sha256 -binary | hex)
  { octets "$key" 0x5c && octets "$inner"; } | openssl dgst -sha256 -binary
}

# ed25519 TEXT: prints the bytes of the signature.
ed25519() {
  local file
  # openssl wants to know the length of the text beforehand.
  file=$(mktemp)
  # shellcheck disable=SC2064 # the file of now
  trap "rm -f '$file'" EXIT
  printf %s "$1" >"$file"
  openssl pkeyutl -sign -rawin -in "$file" -inkey <(printf '%s\n' "$KEYGATE_PRIVATE_KEY") ||
    die 'KEYGATE_PRIVATE_KEY: is no Ed25519 key in PEM of PKCS #8'
}

address() {
  local most=32 colons text='((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.|$)){4}'
  if [[ $1 == *:* ]]; then
    # One `::` or all eight groups; an IPv4 address may end it.
    most=128 text='([0-9A-Fa-f]{1,4}(:|$)|:){1,9}([0-9]{1,3}(\.[0-9]{1,3}){3})?'
    colons=${1//[^:]/}
    [[ $1 != *.* ]] || colons+=:
    if [[ $1 == *::*::* || $1 == *:::* || $1 == :[^:]* || ($1 != *::* && ${#colons} -ne 7) || ${#colons} -gt 7 ]]; then
      die "addresses: $1 is none"
    fi
  fi
  [[ ${1%%/*} =~ ^($text)$ && ${1%%/*} != *. ]] || die "addresses: $1 is none"
  if [[ $1 == */* ]]; then
    match "${1#*/}" '0|[1-9][0-9]{0,2}' addresses
    ((${1#*/} <= most)) || die "addresses: $1 is none"
    if [[ $1 =~ ^(::|(0+:){5})[fF]{4}: ]] && ((${1#*/} < 96)); then
      die 'addresses: a range of IPv4-mapped addresses needs at least 96 bits'
    fi
  fi
}

# sign: prints the token in the format keygate.
sign() {
  local it fields request='' text algorithm=HS256 seconds='[1-9][0-9]{0,9}'
  local value=$'([^[:cntrl:] ](([^[:cntrl:]]|\t)*[^[:cntrl:] ])?)?'
  [[ ${any_host-} || $host ]] || die 'url: has no host; give one, or --any-host'
  ((${#globs[@]} <= 16 && ${#ignore[@]} <= 16 && ${#addresses[@]} <= 16)) || die 'a list is longer than 16'
  ((${#headers[@]} <= 8 && ${#cookies[@]} <= 8)) || die 'headers, cookies: at most 8'

  fields=$(field k "${key_id-}" '[A-Za-z0-9._-]{1,64}')
  fields+=$(field e "${expires-}" "$seconds")
  [[ -z ${not_before-} ]] || fields+=$(field n "$not_before" "$seconds")
  [[ -z ${not_before-} ]] || ((not_before < expires)) || die 'not_before: must be less than expires'
  [[ ${method-GET} == GET ]] || fields+=$(field m "$method" '[A-Z-]{1,32}')
  [[ -z ${any_host-} ]] || fields+=$(field h '*')
  if [[ ${prefix-} ]]; then
    prefix=$(one_way "$prefix" prefix)
    [[ $prefix == */ && $path == "$prefix"* ]] || die 'prefix: must end with /, and the url must be below it'
    ((${#globs[@]} == 0)) || die 'globs: not together with a prefix'
    fields+=$(field p "$prefix")
  fi
  for it in "${globs[@]}"; do
    it=$(one_way "$it" globs)
    [[ ! $it =~ [*][*][^/]|[^/][*][*] ]] || die 'globs: ** must be a whole segment'
    fields+=$(field g "$it")
  done
  [[ -z ${any_query-} ]] || fields+=$(field q '*')
  # Visible characters but # & * =, and perhaps a * at the end.
  for it in "${ignore[@]}"; do fields+=$(field i "$it" "[!\"\$%'-)+-<>-~]+[*]?"); done
  for it in "${addresses[@]}"; do address "$it" && fields+=$(field a "$it"); done
  for it in "${headers[@]}"; do fields+=$(field r "${it%% *}" "$TOKEN"); done
  for it in "${cookies[@]}"; do fields+=$(field c "${it%% *}"); done
  [[ -z ${account-} ]] || fields+=$(field u "$account" '[!-~]{1,256}')
  [[ -z ${once-} ]] || fields+=$(field o "$once" '[A-Za-z0-9_-]{16,64}')

  [[ ${any_host-} ]] || request+=$(field H "$host")
  [[ ${prefix-} || ${#globs[@]} -gt 0 ]] || request+=$(field P "$path")
  [[ ${any_query-} ]] || request+=$(field Q "$(kept "${query#\?}" "${ignore[@]}")")
  for it in "${headers[@]}"; do request+=$(field R "${it#* }" "$value"); done
  # One pair of double quotes is no part of a cookie's value (RFC 6265 section 4.1.1).
  for it in "${cookies[@]}"; do
    it=${it#* }
    if [[ $it == '"'*'"' ]]; then it=${it:1:-1}; fi
    request+=$(field C "$it" "$value")
  done

  [[ -z ${KEYGATE_PRIVATE_KEY-} ]] || algorithm=EdDSA
  [[ -z ${KEYGATE_PRIVATE_KEY-} || -z ${KEYGATE_SECRET-} ]] || die 'give either KEYGATE_SECRET or KEYGATE_PRIVATE_KEY'
  text=keygate-link-v1$'\n'$(field A "$algorithm")$fields$request
  if [[ $algorithm == EdDSA ]]; then it=$(ed25519 "$text" | base64url); else it=$(hmac "$text" | base64url); fi
  token=kg1.$(printf %s "$fields" | base64url).$it
  ((${#token} <= 4096)) || die 'the token is longer than 4096 characters'
}

# sign_cloudflare: the token in the format cloudflare.
sign_cloudflare() {
  local message=$path$query mac
  match "${stamp-}" '[1-9][0-9]{9}' stamp
  match "${alphabet:=standard}" 'standard|url' alphabet
  if [[ ${directory-} ]]; then
    [[ $carrier == query ]] || die 'directory: only for links with a parameter'
    [[ $(one_way "$directory" directory) == "$directory" && $directory == */ ]] || die 'directory: must be canonical and end with /'
    [[ $target == "$directory"* ]] || die 'directory: the url is not below it'
    message=$directory$query$separator$name=
  fi
  mac=$(hmac "$message$stamp" | openssl base64 -A)
  if [[ $alphabet == url ]]; then
    mac=$(printf %s "$mac" | tr '+/' '-_' | tr -d '=')
  else
    mac=${mac//+/%2B} mac=${mac//\//%2F} mac=${mac//=/%3D}
  fi
  token=$stamp-$mac
}

format=${1-}
match "$format" 'keygate|cloudflare' 'the first argument'
shift
globs=() ignore=() addresses=() headers=() cookies=() carrier=query
# Nothing that a link says comes from the environment: a `prefix` there would widen it.
unset -v any_host any_query prefix account once name method not_before key_id expires stamp alphabet directory
while [[ ${1-} == --* ]]; do
  option=${1#--} option=${option//-/_}
  case $format:$option in
    keygate:any_host | keygate:any_query) printf -v "$option" yes ;;
    keygate:header | keygate:cookie)
      [[ ${3-} =~ ^[A-Za-z_][A-Za-z0-9_]*$ && -v $3 ]] || die "$1: there is no variable ${3-}"
      match "$2" "${TOKEN/a-z/A-Za-z}" "$1"
      declare -n list=${option}s && list+=("$2 ${!3}") && shift 2
      ;;
    keygate:glob) globs+=("${2-}") && shift ;;
    keygate:ignore) ignore+=("${2-}") && shift ;;
    keygate:address) addresses+=("${2-}") && shift ;;
    *:carrier | *:name | keygate:key_id | keygate:expires | keygate:not_before | keygate:method | \
      keygate:prefix | keygate:account | keygate:once | cloudflare:stamp | cloudflare:alphabet | cloudflare:directory)
      [[ ${2-} ]] || die "$1: has no value"
      printf -v "$option" %s "$2" && shift
      ;;
    *) die "there is no option $1" ;;
  esac
  shift
done
(($# == 1)) || die 'give one URL, after all options'
[[ $1 =~ ^((https?)://([][A-Za-z0-9._:-]+))?(/.*)$ ]] || die 'url: must be http(s)://host/path, or /path'
origin=${BASH_REMATCH[1]} host=${BASH_REMATCH[3],,} target=${BASH_REMATCH[4]}
# Clients leave the port of the scheme out.
if [[ ${BASH_REMATCH[2]} == https ]]; then host=${host%:443}; else host=${host%:80}; fi
case $format:$carrier in
  *:query | *:token | keygate:path) ;;
  *) die "carrier: there is no $carrier" ;;
esac
if [[ $format == cloudflare ]]; then : "${name:=verify}"; elif [[ $carrier == path ]]; then : "${name:=~kg}"; fi
match "${name:=kg}" '[A-Za-z0-9._~-]+' name
visible "$target" url
path=$(one_way "${target%%\?*}" url) query='' separator='?'
if [[ $target == *\?* ]]; then
  query=${target#*\?}
  [[ $query != *'#'* ]] || die 'url: wrong characters in the query'
  [[ ${query//%[0-9A-Fa-f][0-9A-Fa-f]/} != *%* ]] || die 'url: has a broken percent encoding'
  query="?$(canonical "$query")" separator='&'
fi
[[ $carrier != query || $(kept "${query#\?}" "$name") == "${query#\?}" ]] || die "url: has a parameter $name already"
[[ $carrier != path || $path != */"$name="* ]] || die "url: has a segment $name already"

case $format in
  keygate) sign ;;
  cloudflare) sign_cloudflare ;;
esac
case $carrier in
  token) printf '%s\n' "$token" ;;
  # In front: every relative link keeps it.
  path) printf '%s\n' "$origin/$name=$token$target" ;;
  query) printf '%s\n' "$origin$target$separator$name=$token" ;;
esac
