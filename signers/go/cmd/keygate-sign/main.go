// Command keygate-sign signs one link: keygate-sign keygate|cloudflare, with the fields of the
// link as a JSON object on standard input, so that no secret is among its arguments.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	keygate "example.com/keygate/signers/go"
)

func main() {
	err := errors.New("say keygate or cloudflare, and give JSON on standard input")
	signed := ""
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	switch strings.Join(os.Args[1:], " ") {
	case "keygate":
		var link keygate.Link
		if err = decoder.Decode(&link); err == nil {
			signed, err = link.Sign()
		}
	case "cloudflare":
		var link keygate.Cloudflare
		if err = decoder.Decode(&link); err == nil {
			signed, err = link.Sign()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "keygate-sign:", err)
		os.Exit(1)
	}
	fmt.Println(signed)
}
