// Command istiod-judge says of each folder whether istiod would load it as its signing CA.
//
// The rules are those istiod applies when it starts (security/pkg/pki/util/keycertbundle.go: Verify,
// security/pkg/pki/util/crypto.go, security/pkg/pki/ca/ca.go, pilot/pkg/bootstrap/istio_ca.go),
// written anew on the standard library.
//
//	istiod-judge 2026-11-21T07:00:00Z FOLDER...
//
// prints a line for each folder: "ok", or "refused: " and why.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: istiod-judge TIME FOLDER...")
		os.Exit(64)
	}
	at, err := time.Parse(time.RFC3339, os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(64)
	}
	for _, folder := range os.Args[2:] {
		if err := judge(folder, at); err != nil {
			fmt.Println("refused: " + strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("ok")
		}
	}
}

// bundle is what istiod reads of the folder.
type bundle struct{ cert, key, chain, root, crl []byte }

func judge(folder string, at time.Time) error {
	files, err := read(folder)
	if err != nil {
		return err
	}
	cert, err := verify(files, at)
	if err != nil {
		return err
	}
	if !cert.IsCA {
		return errors.New("certificate is not authorized to sign other certificates")
	}
	return chainInForce(files.chain, at)
}

// read takes the files of one of the two layouts; tls.crt decides which.
func read(folder string) (bundle, error) {
	content := func(name string) []byte {
		bytes, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil
		}
		return bytes
	}
	files := bundle{content("ca-cert.pem"), content("ca-key.pem"), content("cert-chain.pem"), content("root-cert.pem"), content("ca-crl.pem")}
	if cert := content("tls.crt"); cert != nil {
		root := content("ca.crt")
		files = bundle{cert, content("tls.key"), append(append([]byte{}, cert...), root...), root, nil}
	}
	for _, file := range [][]byte{files.cert, files.key, files.chain, files.root} {
		if file == nil {
			return files, errors.New("incomplete signing CA bundle detected")
		}
	}
	return files, nil
}

// verify: the first certificate of the file leads to a root, the key is in a form istiod reads and fits.
func verify(files bundle, at time.Time) (*x509.Certificate, error) {
	cert, err := firstCertificate(files.cert)
	if err != nil {
		return nil, fmt.Errorf("failed to parse cert PEM: %w", err)
	}
	roots, above := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(files.root)
	above.AppendCertsFromPEM(files.chain)
	options := x509.VerifyOptions{Roots: roots, Intermediates: above, CurrentTime: at}
	if chains, err := cert.Verify(options); err != nil || len(chains) == 0 {
		return nil, fmt.Errorf("cannot verify the cert with the provided root chain and cert pool: %w", err)
	}
	if err := keyForm(files.key); err != nil {
		return nil, err
	}
	if _, err := tls.X509KeyPair(files.cert, files.key); err != nil {
		return nil, fmt.Errorf("the cert does not match the key: %w", err)
	}
	if len(files.crl) != 0 {
		if err := crlForEach(files.chain, files.crl); err != nil {
			return nil, err
		}
	}
	return cert, nil
}

// crlForEach: every certificate of the chain has signed a CRL.
func crlForEach(chain, text []byte) error {
	var crls []*x509.RevocationList
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		crl, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return fmt.Errorf("failed to parse CRL PEM: %w", err)
		}
		crls = append(crls, crl)
	}
	var missing []string
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("failed to parse cert chain: %w", err)
		}
		signed := func(crl *x509.RevocationList) bool { return crl.CheckSignatureFrom(cert) == nil }
		if !slices.ContainsFunc(crls, signed) {
			missing = append(missing, cert.Subject.String())
		}
	}
	if missing != nil {
		return fmt.Errorf("missing CRL signed by certificates: %v", missing)
	}
	return nil
}

// firstCertificate parses the first PEM block, whatever its label.
func firstCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("invalid PEM encoded certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

// keyForm looks at the first PEM block alone.
func keyForm(text []byte) error {
	block, _ := pem.Decode(text)
	if block == nil {
		return errors.New("invalid PEM-encoded key")
	}
	var err error
	switch block.Type {
	case "EC PRIVATE KEY":
		_, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		_, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY":
		_, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		err = fmt.Errorf("unsupported PEM block type for a private key: %s", block.Type)
	}
	return err
}

// chainInForce: the first certificate of the chain has not ended (security/pkg/pki/ca/ca.go: minTTL, which an
// empty chain passes).
func chainInForce(chain []byte, at time.Time) error {
	if len(chain) == 0 {
		return nil
	}
	cert, err := firstCertificate(chain)
	if err != nil {
		return fmt.Errorf("failed to parse cert chain: %w", err)
	}
	if at.After(cert.NotAfter) {
		return errors.New("cert chain has expired")
	}
	return nil
}
