// Package licenses lists the licenses of what is linked into the binary, in
// licenses.md, and tests that the list is true and none of them copyleft.
package licenses
