package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/federation"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/spire/pkg/server/bundle/client"
	"github.com/spiffe/spire/pkg/server/endpoints/bundle"
)

// patience is longer than any exchange on loopback takes.
const patience = 30 * time.Second

// fetch gets a bundle as SPIRE and go-spiffe do. For https_web without roots, SSL_CERT_FILE names those of the system.
func fetch(asked question) (any, error) {
	endpoint := spiffeid.ID{}
	if asked.EndpointID != "" {
		id, err := spiffeid.FromString(asked.EndpointID)
		if err != nil {
			return nil, err
		}
		endpoint = id
	}
	roots, err := certificates(asked.Roots)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	config := client.ClientConfig{TrustDomain: domain, EndpointURL: asked.URL}
	pool := x509.NewCertPool()
	for _, root := range roots {
		pool.AddCert(root)
	}
	option := federation.WithWebPKIRoots(pool)
	if !endpoint.IsZero() {
		config.SPIFFEAuth = &client.SPIFFEAuthConfig{EndpointSpiffeID: endpoint, RootCAs: roots}
		source := x509bundle.FromX509Authorities(endpoint.TrustDomain(), roots)
		option = federation.WithSPIFFEAuth(source, endpoint)
	}
	spire, err := client.NewClient(config)
	if err != nil {
		return nil, err
	}
	return map[string]reading{
		"goSpiffe": read(federation.FetchBundle(ctx, domain, asked.URL, option)),
		"spire":    read(spire.FetchBundle(ctx)),
	}, nil
}

// serve publishes a bundle at two endpoints, SPIRE's and go-spiffe's, until standard input ends.
func serve(asked question) (any, error) {
	published, err := spiffebundle.Parse(domain, asked.Document)
	if err != nil {
		return nil, err
	}
	chain, err := certificates(asked.Roots)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(asked.Key)
	if err != nil {
		return nil, err
	}
	auth := bundle.SPIFFEAuth(func() ([]*x509.Certificate, crypto.PrivateKey, error) { return chain, key, nil })
	spire, err := serveSPIRE(published, auth)
	if err != nil {
		return nil, err
	}
	goSpiffe, err := serveGoSPIFFE(published, auth.GetTLSConfig())
	if err != nil {
		return nil, err
	}
	return map[string]any{"error": "", "spire": spire, "goSpiffe": goSpiffe}, nil
}

// serveSPIRE starts SPIRE's server at a port that was free a moment ago: it does not say which one it has.
func serveSPIRE(published *spiffebundle.Bundle, auth bundle.ServerAuth) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return "", err
	}
	// It reports every connection that is closed early, as the one below that looks whether it listens.
	log.SetOutput(io.Discard)
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	hint, _ := published.RefreshHint()
	server := bundle.NewServer(bundle.ServerConfig{
		Log:         logger,
		Address:     address,
		Getter:      bundle.GetterFunc(func(context.Context) (*spiffebundle.Bundle, error) { return published, nil }),
		ServerAuth:  auth,
		RefreshHint: hint,
	})
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe(context.Background()) }()
	for {
		select {
		case err := <-ended:
			return "", err
		default:
		}
		connection, err := net.DialTimeout("tcp", address, patience)
		if err == nil {
			return address, connection.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func serveGoSPIFFE(published *spiffebundle.Bundle, config *tls.Config) (string, error) {
	handler, err := federation.NewHandler(domain, published)
	if err != nil {
		return "", err
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: patience}
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String(), nil
}

func certificates(ders [][]byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for i, der := range ders {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i, err)
		}
		all = append(all, certificate)
	}
	return all, nil
}
