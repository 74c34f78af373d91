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
	host string // for which the servers' certificate is good
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

// certify issues the certificates of a client and of servers, whose name or address
// that is.
func (a *authority) certify(host string) {
	a.t.Helper()
	server := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if ip := net.ParseIP(host); ip != nil {
		server.IPAddresses = []net.IP{ip}
	} else {
		server.DNSNames = []string{host}
	}
	a.host = host
	a.issue("redis", server)
	a.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// arguments are those of a server that speaks TLS alone, also to others, and asks
// for certificates of its clients if that is "yes".
func (a *authority) arguments(clients string) []string {
	return []string{
		"--port", "0", "--tls-port", "PORT", "--tls-replication", "yes", "--tls-cluster", "yes", "--tls-auth-clients", clients,
		"--tls-ca-cert-file", a.file("ca.crt"), "--tls-cert-file", a.file("redis.crt"), "--tls-key-file", a.file("redis.key"),
	}
}

// settings are good for those servers.
func (a *authority) settings() TLS {
	return TLS{CA: a.file("ca.crt"), Certificate: a.file("client.crt"), Key: a.file("client.key"), ServerName: a.host}
}

// client is the same for the test itself; it is nil without an authority.
func (a *authority) client() *tls.Config {
	if a == nil {
		return nil
	}
	a.t.Helper()
	s := a.settings()
	o := &options{TLS: true, CAFile: s.CA, CertFile: s.Certificate, KeyFile: s.Key, ServerName: s.ServerName}
	if err := o.loadTLS(); err != nil {
		a.t.Fatal(err)
	}
	return o.tls
}

func TestTLS(t *testing.T) {
	a := newAuthority(t)
	a.certify("redis.test")
	s := startServer(t, a.arguments("yes")...)
	good := a.settings()
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
	a.certify("127.0.0.1")
	url := "rediss" + clusterURL(startCluster(t, a))[len("redis"):]
	eachAdapter(t, Cluster{URL: url, TLS: &TLS{CA: a.file("ca.crt")}}, bothWays)
}

// sentinelsOverTLS start with certificates that are good for that name or address.
func sentinelsOverTLS(t *testing.T, host string) (config Cluster, master, replica *server) {
	t.Helper()
	a := newAuthority(t)
	a.certify(host)
	master, replica, sentinels := startSentinels(t, a)
	config = sentinelConfig(sentinels)
	settings := a.settings()
	config.URL, config.TLS = "rediss"+config.URL[len("redis"):], &settings
	return config, master, replica
}

// Sentinels name servers by their addresses too.
func TestSentinelOverTLS(t *testing.T) {
	config, _, _ := sentinelsOverTLS(t, "127.0.0.1")
	config.TLS.ServerName = ""
	eachAdapter(t, config, bothWays)
}

// All of them, and the master after it, may have one name.
func TestASentinelFailoverOverTLS(t *testing.T) {
	config, master, replica := sentinelsOverTLS(t, "redis.test")
	surviveDeath(t, config, func() {
		master.copied("app")
		master.kill()
	}, func() { replica.says("MASTER MODE enabled") })
}
