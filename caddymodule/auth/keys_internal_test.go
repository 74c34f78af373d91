package auth

import "testing"

// FuzzPublicKeys checks that no file makes a key that nothing could be verified
// with.
func FuzzPublicKeys(f *testing.F) {
	const ed = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
	f.Add([]byte(ed))
	f.Add([]byte(ed + ed))
	f.Add([]byte("-----BEGIN RSA PUBLIC KEY-----\nMAA=\n-----END RSA PUBLIC KEY-----\n"))
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		keys, err := parsePublicKeys(content)
		if err == nil && len(keys) == 0 {
			t.Fatal("no key and no error")
		}
		for _, key := range keys {
			if len(methodsOf(key)) == 0 {
				t.Fatalf("a key of type %T", key)
			}
		}
	})
}
