// Package keygate signs links that Keygate verifies: the formats keygate and cloudflare.
//
// Needs Go 1.18 and the standard library. Import the module, or copy this file into a package
// of your own and change its package clause:
//
//	link := keygate.Link{URL: "https://media.example.com/cat.mp4", KeyID: "k1",
//		Secret: secret, Expires: time.Now().Unix() + 3600}
//	url, err := link.Sign()
package keygate

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Link is what to sign in the format keygate. What is empty is left out.
type Link struct {
	URL        string      `json:"url"`         // absolute, or path and query with AnyHost
	KeyID      string      `json:"key_id"`      // the id of the key in the ring
	Secret     string      `json:"secret"`      // its bytes: signs with HMAC-SHA256
	PrivateKey string      `json:"private_key"` // PEM of PKCS #8: signs with Ed25519
	Expires    int64       `json:"expires"`     // unix seconds, like NotBefore
	NotBefore  int64       `json:"not_before"`
	Method     string      `json:"method"` // GET, which also permits HEAD
	AnyHost    bool        `json:"any_host"`
	Prefix     string      `json:"prefix"`
	Globs      []string    `json:"globs"`
	AnyQuery   bool        `json:"any_query"`
	Ignore     []string    `json:"ignore"`
	Addresses  []string    `json:"addresses"`
	Headers    [][2]string `json:"headers"` // names and values that a request must have
	Cookies    [][2]string `json:"cookies"`
	Account    string      `json:"account"`
	Once       string      `json:"once"`
	Carrier    string      `json:"carrier"` // query, path (/~kg=TOKEN/) or token (the bare token)
	Name       string      `json:"name"`    // of the parameter (kg) or segment (~kg)
}

// Cloudflare is what to sign in the format cloudflare.
type Cloudflare struct {
	URL       string `json:"url"` // absolute, or path and query
	Secret    string `json:"secret"`
	Stamp     int64  `json:"stamp"`     // of signing; of expiry with "stamp": "expires"
	Alphabet  string `json:"alphabet"`  // of base64: standard or url
	Carrier   string `json:"carrier"`   // query or token: <stamp>-<MAC>, for a header
	Name      string `json:"name"`      // of the parameter: verify
	Directory string `json:"directory"` // such as /a/: opens all below it
}

// What the fields of a token must look like.
var forms = map[string]*regexp.Regexp{
	"k": regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`),
	"e": regexp.MustCompile(`^[1-9][0-9]{0,9}$`),
	"n": regexp.MustCompile(`^[1-9][0-9]{0,9}$`),
	"m": regexp.MustCompile(`^[A-Z-]{1,32}$`),
	"i": regexp.MustCompile(`^[!"$%'-)+-<>-~]+\*?$`), // no # & =, and * at the end only
	"r": regexp.MustCompile("^[!#$%&'*+.^_`|~0-9a-z-]+$"),
	"c": regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"),
	"u": regexp.MustCompile(`^[!-~]{1,256}$`),
	"o": regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`),
	"R": headerValue,
	"C": headerValue,
}

var (
	headerValue = regexp.MustCompile(`^([^\x00-\x20\x7f]([^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?$`)
	doubled     = regexp.MustCompile(`\*\*[^/]|[^/]\*\*`)
	urlForm     = regexp.MustCompile(`(?s)^(?:(https?)://([A-Za-z0-9._:\[\]-]+))?(/.*)$`)
	nameForm    = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)
	outsiders   = regexp.MustCompile("[\"<>^`{|}]")
	triplets    = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	unreserved  = regexp.MustCompile(`[A-Za-z0-9._~-]`)
	visible     = regexp.MustCompile(`^[!-~]*$`)
	ambiguous   = regexp.MustCompile(`//|%5C|%[01]|%7F|%C2%[89]|%25[0-9A-Fa-f]{2}|/(\.{1,2}(/|$)|\.{0,2}(;|%3B))`)
)

// failures keeps the first error, so that a list of checks reads as one.
type failures struct{ first error }

func (f *failures) need(condition bool, format string, values ...any) {
	if !condition && f.first == nil {
		f.first = fmt.Errorf(format, values...)
	}
}

func (f *failures) result(signed string) (string, error) {
	if f.first != nil {
		return "", f.first
	}
	return signed, nil
}

// field is a letter and its values, each a field of its own.
type field struct {
	letter string
	values []string
}

func (f *failures) encode(fields ...field) string {
	var text strings.Builder
	for _, it := range fields {
		for _, value := range it.values {
			form := forms[it.letter]
			f.need(form == nil || form.MatchString(value), "field %s: is not of the form %v", it.letter, form)
			fmt.Fprintf(&text, "%s%d:%s", it.letter, len(value), value)
		}
	}
	return text.String()
}

// Sign gives the URL with its token, or the bare token.
func (l Link) Sign() (string, error) {
	var f failures
	l.Carrier = or(l.Carrier, "query")
	l.Name = or(l.Name, map[string]string{"path": "~kg"}[l.Carrier], "kg")
	t := f.parse(l.URL, l.Carrier, l.Name)
	f.need(l.Carrier == "query" || l.Carrier == "path" || l.Carrier == "token", "carrier: there is no %q", l.Carrier)
	f.need(l.AnyHost || t.host != "", "url: has no host; give one, or any_host")
	f.need(l.NotBefore == 0 || l.NotBefore < l.Expires, "not_before: must be less than expires")
	if l.Prefix != "" {
		l.Prefix = f.path(l.Prefix, "prefix")
		f.need(strings.HasSuffix(l.Prefix, "/"), "prefix: must end with /")
		f.need(strings.HasPrefix(t.path, l.Prefix), "prefix: the url is not below it")
		f.need(len(l.Globs) == 0, "globs: not together with prefix")
	}
	f.need(len(l.Globs) <= 16 && len(l.Ignore) <= 16 && len(l.Addresses) <= 16, "globs, ignore, addresses: at most 16")
	f.need(len(l.Headers) <= 8 && len(l.Cookies) <= 8, "headers, cookies: at most 8")
	f.need((l.Secret == "") != (l.PrivateKey == ""), "give either secret or private_key")

	globs := make([]string, len(l.Globs))
	for i, glob := range l.Globs {
		globs[i] = f.path(glob, "globs")
		f.need(!doubled.MatchString(glob), "globs: ** must be a whole segment")
	}
	for _, address := range l.Addresses {
		f.address(address)
	}
	headers, headerValues := unzip(l.Headers)
	cookies, cookieValues := unzip(l.Cookies)
	for i, value := range cookieValues {
		// One pair of double quotes is no part of it (RFC 6265 section 4.1.1).
		if len(value) > 1 && strings.HasPrefix(value, `"`) && strings.HasSuffix(value, `"`) {
			cookieValues[i] = value[1 : len(value)-1]
		}
	}
	token := f.encode(
		field{"k", []string{l.KeyID}},
		field{"e", []string{fmt.Sprint(l.Expires)}},
		field{"n", when(l.NotBefore != 0, fmt.Sprint(l.NotBefore))},
		field{"m", when(l.Method != "" && l.Method != "GET", l.Method)},
		field{"h", when(l.AnyHost, "*")},
		field{"p", when(l.Prefix != "", l.Prefix)},
		field{"g", globs},
		field{"q", when(l.AnyQuery, "*")},
		field{"i", l.Ignore},
		field{"a", l.Addresses},
		field{"r", headers},
		field{"c", cookies},
		field{"u", when(l.Account != "", l.Account)},
		field{"o", when(l.Once != "", l.Once)},
	)
	text := token + f.encode(
		field{"H", when(!l.AnyHost, t.host)},
		field{"P", when(l.Prefix == "" && len(l.Globs) == 0, t.path)},
		field{"Q", when(!l.AnyQuery, kept(t.query, l.Ignore))},
		field{"R", headerValues},
		field{"C", cookieValues},
	)
	var signature []byte
	if l.PrivateKey != "" {
		signature = f.ed25519(l.PrivateKey, "keygate-link-v1\nA5:EdDSA"+text)
	} else {
		signature = f.hmac(l.Secret, "keygate-link-v1\nA5:HS256"+text)
	}
	encode := base64.RawURLEncoding.EncodeToString
	whole := "kg1." + encode([]byte(token)) + "." + encode(signature)
	f.need(len(whole) <= 4096, "the token is longer than 4096 characters")
	return f.result(t.carry(whole, l.Carrier, l.Name))
}

// Sign gives the URL with its token, or the bare token.
func (c Cloudflare) Sign() (string, error) {
	var f failures
	c.Carrier, c.Name, c.Alphabet = or(c.Carrier, "query"), or(c.Name, "verify"), or(c.Alphabet, "standard")
	t := f.parse(c.URL, c.Carrier, c.Name)
	f.need(c.Carrier == "query" || c.Carrier == "token", "carrier: there is no %q", c.Carrier)
	f.need(c.Alphabet == "standard" || c.Alphabet == "url", "alphabet: there is no %q", c.Alphabet)
	stamp := fmt.Sprint(c.Stamp)
	f.need(len(stamp) == 10 && c.Stamp > 0, "stamp: must have ten digits")
	message := t.path + t.query
	if c.Directory != "" {
		f.need(c.Carrier == "query", "directory: only for links with a parameter")
		f.need(f.path(c.Directory, "directory") == c.Directory, "directory: is not canonical")
		f.need(strings.HasSuffix(c.Directory, "/"), "directory: must end with /")
		f.need(strings.HasPrefix(t.target, c.Directory), "directory: the url is not below it")
		// As in Cloudflare's documentation, where the separator is signed.
		message = c.Directory + t.query + t.separator() + c.Name + "="
	}
	mac := f.hmac(c.Secret, message+stamp)
	text := url.QueryEscape(base64.StdEncoding.EncodeToString(mac))
	if c.Alphabet == "url" {
		text = base64.RawURLEncoding.EncodeToString(mac)
	}
	return f.result(t.carry(stamp+"-"+text, c.Carrier, c.Name))
}

// target is a URL in parts; path and query (with its ?) are canonical.
type target struct{ origin, host, target, path, query string }

func (f *failures) parse(text, carrier, name string) target {
	parts := urlForm.FindStringSubmatch(text)
	if parts == nil {
		f.need(false, "url: must be http(s)://host/path, or /path")
		return target{}
	}
	t := target{host: strings.ToLower(parts[2]), target: parts[3]}
	if parts[1] != "" {
		t.origin = parts[1] + "://" + parts[2]
		// Clients leave the port of the scheme out.
		t.host = strings.TrimSuffix(t.host, map[string]string{"http": ":80", "https": ":443"}[parts[1]])
	}
	path, query, found := strings.Cut(t.target, "?")
	_, err := url.PathUnescape(query)
	f.visible(t.target, "url")
	f.need(err == nil, "url: has a broken percent encoding")
	f.need(visible.MatchString(query) && !strings.Contains(query, "#"), "url: wrong characters in the query")
	t.path = f.path(path, "url")
	if found {
		t.query = "?" + canonical(query)
	}
	f.need(nameForm.MatchString(name), "name: %q is no name", name)
	f.need(carrier != "path" || !strings.Contains(t.path, "/"+name+"="), "url: has a segment %s already", name)
	f.need(carrier != "query" || kept(t.query, []string{name}) == strings.TrimPrefix(t.query, "?"), "url: has a parameter %s already", name)
	return t
}

func (t target) separator() string {
	if strings.Contains(t.target, "?") {
		return "&"
	}
	return "?"
}

func (t target) carry(token, carrier, name string) string {
	switch carrier {
	case "token":
		return token
	case "path":
		// In front: every relative link keeps it.
		return t.origin + "/" + name + "=" + token + t.target
	}
	return t.origin + t.target + t.separator() + name + "=" + token
}

// path gives the canonical form of a path that can be read in one way only.
func (f *failures) path(path, field string) string {
	f.visible(path, field)
	result := canonical(path)
	decoded, err := url.PathUnescape(path)
	good := err == nil && utf8.ValidString(decoded) && visible.MatchString(path) &&
		strings.HasPrefix(path, "/") && !strings.ContainsAny(path, `#?\`) &&
		// As a server reads it that decodes slashes.
		!ambiguous.MatchString(strings.ReplaceAll(result, "%2F", "/"))
	f.need(good, "%s: the path can be read in more than one way, or is none", field)
	return result
}

func (f *failures) visible(text, field string) {
	f.need(visible.MatchString(text), "%s: has a blank, or a character that is not ASCII: percent-encode each part with url.PathEscape(part)", field)
}

// canonical gives the canonical form: RFC 3986 section 6.2.2, and percent-encoded what no URI
// may hold.
func canonical(text string) string {
	text = outsiders.ReplaceAllStringFunc(text, func(it string) string { return fmt.Sprintf("%%%02X", it[0]) })
	return triplets.ReplaceAllStringFunc(text, func(triplet string) string {
		octet, _ := url.PathUnescape(triplet)
		if unreserved.MatchString(octet) {
			return octet
		}
		return strings.ToUpper(triplet)
	})
}

// kept gives the query without the parameters that are not signed.
func kept(query string, ignore []string) string {
	var parameters []string
	for _, parameter := range strings.Split(strings.TrimPrefix(query, "?"), "&") {
		name, _, _ := strings.Cut(parameter, "=")
		ignored := false
		for _, it := range ignore {
			it = canonical(it)
			beginning := strings.TrimSuffix(it, "*")
			ignored = ignored || name == it || (beginning != it && strings.HasPrefix(name, beginning))
		}
		if !ignored {
			parameters = append(parameters, parameter)
		}
	}
	return strings.Join(parameters, "&")
}

func (f *failures) hmac(secret, text string) []byte {
	f.need(strings.TrimSpace(secret) != "", "secret: is empty")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func (f *failures) ed25519(private, text string) []byte {
	block, _ := pem.Decode([]byte(private))
	if block == nil {
		block = &pem.Block{}
	}
	parsed, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, isEd25519 := parsed.(ed25519.PrivateKey)
	if !isEd25519 {
		f.need(false, "private_key: is no Ed25519 key in PEM of PKCS #8")
		return nil
	}
	return ed25519.Sign(key, []byte(text))
}

func (f *failures) address(text string) {
	bits := ""
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		bits = fmt.Sprintf("/%d", address.BitLen())
	}
	prefix, err := netip.ParsePrefix(text + bits)
	f.need(err == nil, "addresses: %q is none", text)
	f.need(!prefix.Addr().Is4In6() || prefix.Bits() >= 96, "addresses: a range of IPv4-mapped addresses needs at least 96 bits")
}

func when(condition bool, value string) []string {
	if condition {
		return []string{value}
	}
	return nil
}

func unzip(pairs [][2]string) (names, values []string) {
	for _, pair := range pairs {
		names, values = append(names, pair[0]), append(values, pair[1])
	}
	return names, values
}

func or(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}
