// Reads an evidence pack as a stranger does, with torchwood and the checksum database's libraries.
//
//	packoracle PACK
//
// It trusts the policy in the pack. The exit code is 0 only if each event's proof, the manifest, and
// each file that the manifest names hold.
package main

import (
	"archive/zip"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type pack struct{ files map[string]*zip.File }

func (p pack) read(name string) []byte {
	file, found := p.files[name]
	if !found {
		log.Fatalf("%s is missing", name)
	}
	opened, err := file.Open()
	check(err)
	content, err := io.ReadAll(opened)
	check(err)
	return content
}

func (p pack) ReadTiles(_ context.Context, tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		found = append(found, p.read("log/"+torchwood.TilePath(tile)))
	}
	return found, nil
}

func (p pack) ReadEndpoint(_ context.Context, path string) ([]byte, error) {
	return p.read("log/" + path), nil
}

func (p pack) SaveTiles([]tlog.Tile, [][]byte) {}

type event struct {
	Position, Version int64
	WorkflowID        string `json:"workflow_id"`
	Name, State       string
	Salt, Content     *string
}

func main() {
	archive, err := zip.OpenReader(os.Args[1])
	check(err)
	p := pack{map[string]*zip.File{}}
	for _, file := range archive.File {
		p.files[file.Name] = file
	}
	var facts struct{ ID, Feed, Origin string }
	check(json.Unmarshal(p.read("pack.json"), &facts))
	files := checkManifest(p, facts.ID)
	fmt.Printf("%d files and %d proofs hold\n", files, checkProofs(p, facts.Feed))
}

// checkProofs verifies the proof of each event, and returns how many there are.
func checkProofs(p pack, feed string) int {
	policy, err := torchwood.ParsePolicy(p.read("policy"))
	check(err)
	number, epoch, _ := strings.Cut(feed, "/")
	events, proofs := lines(p.read("events.jsonl")), lines(p.read("proofs.jsonl"))
	if len(events) != len(proofs) {
		log.Fatalf("%d events have %d proofs", len(events), len(proofs))
	}
	for i := range events {
		var e event
		var proof struct{ Proof string }
		check(json.Unmarshal(events[i], &e))
		check(json.Unmarshal(proofs[i], &proof))
		leaf := fmt.Sprintf("workflows.event.v1\n%s/%s\n%d\n%s\n%d\n%s\n%x\n", epoch, number,
			e.Position, e.WorkflowID, e.Version, e.Name, sha256.Sum256([]byte(e.State)))
		check(torchwood.VerifyProof(policy, tlog.RecordHash([]byte(leaf)), []byte(proof.Proof)))
	}
	return len(events)
}

// checkManifest verifies the manifest with the log's key, and each file by its digest.
func checkManifest(p pack, id string) int {
	opened, err := note.Open(p.read("log/checkpoint"), note.VerifierList(packKey(p, id)))
	check(err)
	checkpoint, err := torchwood.ParseCheckpoint(opened.Text)
	check(err)
	client, err := torchwood.NewClient(p)
	check(err)
	named := 0
	for _, leaf := range client.AllEntries(context.Background(), checkpoint.Tree, 0) {
		parts := strings.Split(string(leaf), "\n")
		if digest := fmt.Sprintf("%x", sha256.Sum256(p.read(parts[2]))); digest != parts[4] {
			log.Fatalf("%s was changed", parts[2])
		}
		named++
	}
	check(client.Err())
	if int64(named) != checkpoint.N || named+3 != len(p.files) {
		log.Fatalf("%d files are named, and %d are there", named, len(p.files))
	}
	return named
}

// packKey is the key of the log under the name of the pack.
func packKey(p pack, id string) note.Verifier {
	vkey := strings.Fields(strings.TrimPrefix(string(p.read("policy")), "log "))[0]
	parts := strings.SplitN(vkey, "+", 3)
	name := parts[0][:strings.LastIndex(parts[0], "/")] + "/pack/" + id
	public, err := base64.StdEncoding.DecodeString(parts[2])
	check(err)
	hash := sha256.Sum256(append([]byte(name+"\n"), public...))
	verifier, err := note.NewVerifier(fmt.Sprintf("%s+%08x+%s", name, binary.BigEndian.Uint32(hash[:]), parts[2]))
	check(err)
	return verifier
}

func lines(content []byte) [][]byte {
	var found [][]byte
	scanner := bufio.NewScanner(strings.NewReader(string(content)))
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		found = append(found, append([]byte{}, scanner.Bytes()...))
	}
	check(scanner.Err())
	return found
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
