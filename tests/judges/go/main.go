// Command go-judge asks crypto/x509 about PKIs.
//
// It reads a line for each, "TIME LEAF INTERMEDIATES ROOTS CRLS": seconds since 1970, then DER in hex, joined with
// commas, "-" for none; CRLs are passed over, as crypto/x509 does. It answers "ok", or "refused CLASS WORDS".
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := input.ReadString('\n')
		if err != nil {
			return
		}
		fields := strings.Fields(line)
		if len(fields) != 5 {
			fmt.Fprintln(os.Stderr, "want five fields")
			os.Exit(64)
		}
		if err := judge(fields); err != nil {
			fmt.Println("refused", class(err), strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("ok")
		}
	}
}

type unreadable struct{ error }

func judge(fields []string) error {
	seconds, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(decode(fields[1])[0])
	if err != nil {
		return unreadable{err}
	}
	options := x509.VerifyOptions{
		Intermediates: pool(fields[2]),
		Roots:         pool(fields[3]),
		CurrentTime:   time.Unix(seconds, 0).UTC(),
	}
	_, err = leaf.Verify(options)
	return err
}

func pool(field string) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, der := range decode(field) {
		if cert, err := x509.ParseCertificate(der); err == nil {
			pool.AddCert(cert)
		}
	}
	return pool
}

func decode(field string) [][]byte {
	var all [][]byte
	if field == "-" {
		return all
	}
	for _, text := range strings.Split(field, ",") {
		der, err := hex.DecodeString(text)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(64)
		}
		all = append(all, der)
	}
	return all
}

// class names the error; an unknown authority has the class of the fault that Go suspects.
func class(err error) string {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var insecure x509.InsecureAlgorithmError
	switch {
	case errors.As(err, &unreadable{}):
		return "unreadable"
	case errors.As(err, &x509.UnhandledCriticalExtension{}):
		return "critical"
	case errors.As(err, &invalid):
		return fmt.Sprintf("invalid-%d", invalid.Reason)
	case errors.As(err, &unknown):
		return "unknown-authority"
	case errors.As(err, &insecure):
		return "insecure"
	default:
		return "other"
	}
}
