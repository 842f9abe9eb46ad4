// Verifies one proof whose line `extra` holds its leaf.
//
//	proof POLICY PROOF
package main

import (
	"encoding/base64"
	"fmt"
	"log"
	"os"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	check(err)
	policy, err := torchwood.ParsePolicy(text)
	check(err)
	proof, err := os.ReadFile(os.Args[2])
	check(err)
	extra := strings.TrimPrefix(strings.Split(string(proof), "\n")[1], "extra ")
	leaf, err := base64.StdEncoding.DecodeString(extra)
	check(err)
	hash := tlog.RecordHash(leaf)
	check(torchwood.VerifyProof(policy, hash, proof))
	fmt.Printf("holds: %x\n", hash[:])
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
