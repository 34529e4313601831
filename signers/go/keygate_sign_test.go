package keygate

import (
	"encoding/json"
	"os"
	"testing"
)

// Every known answer, byte for byte.
func TestKnownAnswers(t *testing.T) {
	text, err := os.ReadFile("testdata/known-answers.json")
	if err != nil {
		t.Fatal(err)
	}
	var answers []struct {
		ID, Format, Signed string
		Link               json.RawMessage
	}
	if err := json.Unmarshal(text, &answers); err != nil {
		t.Fatal(err)
	}
	for _, answer := range answers {
		var link interface{ Sign() (string, error) } = &Link{}
		if answer.Format == "cloudflare" {
			link = &Cloudflare{}
		}
		if err := json.Unmarshal(answer.Link, link); err != nil {
			t.Fatalf("%s: %v", answer.ID, err)
		}
		if signed, err := link.Sign(); signed != answer.Signed || err != nil {
			t.Errorf("%s: got %q, %v, want %q", answer.ID, signed, err, answer.Signed)
		}
	}
	if len(answers) < 20 {
		t.Errorf("only %d known answers", len(answers))
	}
}
