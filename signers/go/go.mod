// A module path is the address of a repository. Replace example.com by that of yours before you
// publish this one: in this file, in cmd/keygate-sign/main.go and in README.md.
module example.com/keygate/signers/go

go 1.18
