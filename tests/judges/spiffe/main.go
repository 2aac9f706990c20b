// Command spiffe-judge asks go-spiffe and SPIRE about bundles, bundle endpoints and X.509-SVIDs.
//
//	spiffe-judge parse|marshal|svid|fetch|serve
//
// It reads a JSON object a line, with bytes in base64, and answers each with one. What `serve` has started ends with
// standard input.
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/spire/pkg/common/bundleutil"
)

var domain = spiffeid.RequireTrustDomainFromString("a.example")

// question has the members that a subcommand reads.
type question struct {
	Document    []byte   // parse, serve: a bundle
	Roots       [][]byte // marshal, fetch: certificates; serve: those of the server
	Sequence    uint64   // marshal
	RefreshHint int64    // marshal: seconds
	Cert        []byte   // svid: a certificate
	Key         []byte   // svid, serve: its key, PKCS#8
	URL         string   // fetch: of the endpoint
	EndpointID  string   // fetch: its SPIFFE ID; none for https_web
}

// reading is what a reader makes of a bundle.
type reading struct {
	Error       string   `json:"error"`
	Roots       [][]byte `json:"roots"`
	Sequence    uint64   `json:"sequence"`
	RefreshHint int64    `json:"refreshHint"`
}

func main() {
	subcommands := map[string]func(question) (any, error){
		"parse": parse, "marshal": marshal, "svid": svid, "fetch": fetch, "serve": serve,
	}
	if len(os.Args) != 2 || subcommands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: spiffe-judge parse|marshal|svid|fetch|serve")
		os.Exit(64)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	output := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(output)
	for lines.Scan() {
		var asked question
		err := json.Unmarshal(lines.Bytes(), &asked)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(64)
		}
		answer, err := subcommands[os.Args[1]](asked)
		if err != nil {
			answer = map[string]string{"error": err.Error()}
		}
		if err := answers.Encode(answer); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := output.Flush(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(64)
	}
}

func parse(asked question) (any, error) {
	return map[string]reading{
		"goSpiffe": read(spiffebundle.Parse(domain, asked.Document)),
		"spire":    read(bundleutil.Unmarshal(domain, asked.Document)),
	}, nil
}

func read(bundle *spiffebundle.Bundle, err error) reading {
	if err != nil {
		return reading{Error: err.Error()}
	}
	answer := reading{}
	for _, root := range bundle.X509Authorities() {
		answer.Roots = append(answer.Roots, root.Raw)
	}
	answer.Sequence, _ = bundle.SequenceNumber()
	hint, _ := bundle.RefreshHint()
	answer.RefreshHint = int64(hint / time.Second)
	return answer
}

func marshal(asked question) (any, error) {
	bundle := spiffebundle.New(domain)
	for _, der := range asked.Roots {
		root, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		bundle.AddX509Authority(root)
	}
	bundle.SetSequenceNumber(asked.Sequence)
	bundle.SetRefreshHint(time.Duration(asked.RefreshHint) * time.Second)
	spire, err := bundleutil.Marshal(bundle)
	if err != nil {
		return nil, err
	}
	goSpiffe, err := bundle.Marshal()
	if err != nil {
		return nil, err
	}
	return map[string]any{"error": "", "spire": spire, "goSpiffe": goSpiffe}, nil
}

// svid asks go-spiffe, which takes a leaf with its key only.
func svid(asked question) (any, error) {
	parsed, err := x509svid.ParseRaw(asked.Cert, asked.Key)
	if err != nil {
		return nil, err
	}
	return map[string]string{"error": "", "id": parsed.ID.String()}, nil
}
