package signaling

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestTheDocumentationListsTheEvents compares the table in doc.go with the code.
func TestTheDocumentationListsTheEvents(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, row := range regexp.MustCompile(`(?m)^//\t([a-z-]+) +\{`).FindAllStringSubmatch(string(text), -1) {
		listed = append(listed, row[1])
	}
	if got := slices.Compact(listed); !slices.Equal(got, Events()) {
		t.Fatalf("doc.go lists %v, the code has %v", got, Events())
	}
	for _, event := range Events() {
		if handler(event) == nil {
			t.Errorf("%s has no handler", event)
		}
	}
}

// TestTheCallPageExplainsEveryCode holds the page's sentences against the codes of
// this package and of the layer below it.
func TestTheCallPageExplainsEveryCode(t *testing.T) {
	codes := []string{"rate-limited", "unauthorized", "token-expired"}
	source, err := os.ReadFile("error.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`(?m)^\tCode\w+ += "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1) {
		codes = append(codes, match[1])
	}
	if len(codes) < 10 {
		t.Fatalf("error.go has only %v", codes)
	}
	page, err := os.ReadFile("../../web/call/texts.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range codes {
		if !regexp.MustCompile(`(?m)^  "?` + code + `"?: "`).Match(page) {
			t.Errorf("web/call/texts.js has no sentence for %s", code)
		}
	}
}
