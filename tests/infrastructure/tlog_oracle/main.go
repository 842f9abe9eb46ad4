// Reads a log of tiles as strangers do, with their libraries, and says whether all of it fits.
//
//	tlogoracle FOLDER VKEY POLICY PROOF...
//
// The exit code is 0 only if the checkpoint, every leaf, the root and every proof hold.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type folder string

func (f folder) ReadTiles(_ context.Context, tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		data, err := os.ReadFile(filepath.Join(string(f), torchwood.TilePath(tile)))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func (f folder) ReadEndpoint(_ context.Context, path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(f), path))
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func main() {
	dir, vkey := folder(os.Args[1]), os.Args[2]
	signed, err := os.ReadFile(filepath.Join(string(dir), "checkpoint"))
	check(err)
	verifier, err := note.NewVerifier(vkey)
	check(err)
	opened, err := note.Open(signed, note.VerifierList(verifier))
	check(err)
	checkpoint, err := torchwood.ParseCheckpoint(opened.Text)
	check(err)
	leaves := readLeaves(dir, checkpoint.Tree)
	if root := rootOf(leaves); root != checkpoint.Hash {
		log.Fatal("the leaves do not lead to the root")
	}
	policyText, err := os.ReadFile(os.Args[3])
	check(err)
	policy, err := torchwood.ParsePolicy(policyText)
	check(err)
	for _, path := range os.Args[4:] {
		proof, err := os.ReadFile(path)
		check(err)
		index, err := strconv.Atoi(strings.TrimPrefix(strings.Split(string(proof), "\n")[1], "index "))
		check(err)
		check(torchwood.VerifyProof(policy, tlog.RecordHash(leaves[index]), proof))
	}
	fmt.Printf("%d leaves and %d proofs hold\n", len(leaves), len(os.Args)-4)
}

// readLeaves reads every leaf; the library holds each against the tiles.
func readLeaves(dir folder, tree tlog.Tree) [][]byte {
	client, err := torchwood.NewClient(dir)
	check(err)
	var leaves [][]byte
	for _, leaf := range client.AllEntries(context.Background(), tree, 0) {
		leaves = append(leaves, append([]byte{}, leaf...))
	}
	check(client.Err())
	if int64(len(leaves)) != tree.N {
		log.Fatalf("%d of %d leaves are there", len(leaves), tree.N)
	}
	return leaves
}

func rootOf(leaves [][]byte) tlog.Hash {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			found = append(found, stored[index])
		}
		return found, nil
	})
	for number, leaf := range leaves {
		hashes, err := tlog.StoredHashes(int64(number), leaf, reader)
		check(err)
		stored = append(stored, hashes...)
	}
	root, err := tlog.TreeHash(int64(len(leaves)), reader)
	check(err)
	return root
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
