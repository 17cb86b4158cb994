// Measures the Go libraries of the official miners on one core, so that their figures and ours come from the same
// computer at the same time. Prints a line for each: its name, a tab, how often a second. A program of its own, never
// shipped: ring-go and go-dleq are LGPL-3.0.
//
//	rivals            all of them
//	rivals ring       how often a ring of 2 is verified, for a tenth of a second
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"sort"
	"time"

	decred "github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/pokt-network/go-dleq/types"
	ring "github.com/pokt-network/ring-go"
	"github.com/pokt-network/smt"
	"github.com/pokt-network/smt/kvstore/simplemap"
)

const (
	rounds    = 5
	roundTime = 200 * time.Millisecond
	leafBytes = 1024
)

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) > 1 && os.Args[1] == "ring" {
		_, verify := ringOf(2)
		say("ring 2 verify", perSecond(1, 100*time.Millisecond, verify))
		return
	}
	for _, size := range []int{2, 3, 8} {
		sign, verify := ringOf(size)
		say(fmt.Sprintf("ring %d sign", size), rate(1, sign))
		say(fmt.Sprintf("ring %d verify", size), rate(1, verify))
	}
	signature()
	for _, n := range []int{1_000, 10_000, 50_000} {
		tries(n)
	}
}

func say(name string, rate float64) { fmt.Printf("%s\t%.0f\n", name, rate) }

// must ends the program: a rival that cannot be measured has no figure.
func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, "rivals:", err)
		os.Exit(1)
	}
	return value
}

func require(holds bool, what string) {
	if !holds {
		fmt.Fprintln(os.Stderr, "rivals:", what)
		os.Exit(1)
	}
}

// perSecond is how often a second work is done, which does n operations a call.
func perSecond(n int, within time.Duration, work func()) float64 {
	began, calls := time.Now(), 0
	for time.Since(began) < within {
		work()
		calls++
	}
	return float64(calls*n) / time.Since(began).Seconds()
}

// rate is the median of some rounds, after one call to warm up.
func rate(n int, work func()) float64 {
	work()
	rates := make([]float64, rounds)
	for i := range rates {
		rates[i] = perSecond(n, roundTime, work)
	}
	sort.Float64s(rates)
	return rates[rounds/2]
}

// ringOf signs and verifies as the miner does: a verification begins with the signature's bytes.
func ringOf(size int) (sign, verify func()) {
	curve := ring.Secp256k1()
	message := sha256.Sum256([]byte("a relay"))
	secrets := make([]types.Scalar, size)
	members := make([]types.Point, size)
	for i := range secrets {
		secrets[i] = curve.ScalarFromInt(uint32(i) + 12345)
		members[i] = curve.ScalarBaseMul(secrets[i])
	}
	keys := must(ring.NewFixedKeyRingFromPublicKeys(curve, members))
	signature := must(keys.Sign(message, secrets[0]))
	bytes := must(signature.Serialize())
	sign = func() { must(keys.Sign(message, secrets[0])) }
	verify = func() {
		read := new(ring.RingSig)
		must(0, read.Deserialize(curve, bytes))
		require(read.Verify(message), "a good ring signature does not verify")
	}
	return sign, verify
}

func signature() {
	key := must(decred.GeneratePrivateKey())
	hash := sha256.Sum256([]byte("an answer"))
	signed, public := ecdsa.Sign(key, hash[:]), key.PubKey()
	say("ecdsa sign", rate(1, func() { ecdsa.Sign(key, hash[:]) }))
	say("ecdsa verify", rate(1, func() { require(signed.Verify(hash[:], public), "a good signature does not verify") }))
}

func tries(n int) {
	keys, values := make([][]byte, n), make([][]byte, n)
	for i := range keys {
		hash := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
		keys[i] = hash[:]
		values[i] = make([]byte, leafBytes)
		for at := range values[i] {
			values[i][at] = hash[at%len(hash)]
		}
	}
	build := func() *smt.SMST {
		trie := smt.NewSparseMerkleSumTrie(simplemap.NewSimpleMap(), sha256.New(), smt.WithValueHasher(nil))
		for i := range keys {
			must(0, trie.Update(keys[i], values[i], 1))
		}
		trie.Root()
		return trie
	}
	say(fmt.Sprintf("trie %d inserts", n), rate(n, func() { build() }))
	if n != 10_000 {
		return
	}
	trie, next := build(), uint64(0)
	say("closest proof", rate(1, func() {
		next = next*6364136223846793005 + 1442695040888963407
		path := sha256.Sum256(binary.BigEndian.AppendUint64(nil, next))
		must(trie.ProveClosest(path[:]))
	}))
}
