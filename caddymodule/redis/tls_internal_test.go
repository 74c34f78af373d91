package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority signs the certificates of a test. Its files are in dir.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.issue("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue writes name.crt and name.key. Without an authority it signs itself.
func (a *authority) issue(name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for suffix, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(a.file(name+suffix), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// serve starts a server that speaks TLS alone, and asks for certificates of its
// clients. Its name is redis.test.
func (a *authority) serve() *server {
	a.t.Helper()
	a.issue("redis", &x509.Certificate{
		DNSNames: []string{"redis.test"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	a.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return startServer(a.t, "--port", "0", "--tls-port", "PORT", "--tls-auth-clients", "yes",
		"--tls-ca-cert-file", a.file("ca.crt"), "--tls-cert-file", a.file("redis.crt"), "--tls-key-file", a.file("redis.key"))
}

func TestTLS(t *testing.T) {
	a := newAuthority(t)
	s := a.serve()
	good := TLS{CA: a.file("ca.crt"), Certificate: a.file("client.crt"), Key: a.file("client.key"), ServerName: "redis.test"}
	eachAdapter(t, Cluster{URL: "rediss://" + s.address, TLS: &good}, bothWays)

	other := newAuthority(t)
	stranger, anonymous, elsewhere := good, good, good
	stranger.CA = other.file("ca.crt")
	anonymous.Certificate, anonymous.Key = "", ""
	elsewhere.ServerName = ""
	for name, config := range map[string]*Cluster{
		"an authority that is not trusted": {URL: "rediss://" + s.address, TLS: &stranger},
		"no certificate of the client":     {URL: "rediss://" + s.address, TLS: &anonymous},
		"another name":                     {URL: "rediss://" + s.address, TLS: &elsewhere},
		"no TLS":                           {URL: "redis://" + s.address},
	} {
		t.Run(name, func(t *testing.T) {
			m := join(t, "a", config)
			m.l.Publish(event("x"))
			eventually(t, "it is away", m.c.down.Load)
		})
	}
}

// A Redis Cluster names its servers by their addresses, for which the certificate
// has to be good.
func TestRedisClusterOverTLS(t *testing.T) {
	a := newAuthority(t)
	a.issue("redis", &x509.Certificate{
		IPAddresses: []net.IP{{127, 0, 0, 1}}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	all := startCluster(t, &tls.Config{RootCAs: roots},
		"--tls-cluster", "yes", "--tls-replication", "yes", "--tls-auth-clients", "no",
		"--tls-ca-cert-file", a.file("ca.crt"), "--tls-cert-file", a.file("redis.crt"), "--tls-key-file", a.file("redis.key"),
	)
	url := "rediss" + clusterURL(all)[len("redis"):]
	eachAdapter(t, Cluster{URL: url, TLS: &TLS{CA: a.file("ca.crt")}}, bothWays)
}
