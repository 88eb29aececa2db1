package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

// serverFile is what Joblet's server reads of joblet-config.yml for its TLS. Unknown keys are ignored.
type serverFile struct {
	Server struct {
		Address string `yaml:"address"`
		Port    int    `yaml:"port"`
		NodeID  string `yaml:"nodeId"`
	} `yaml:"server"`
	Security struct {
		ServerCert string `yaml:"serverCert"`
		ServerKey  string `yaml:"serverKey"`
		CACert     string `yaml:"caCert"`
	} `yaml:"security"`
}

// clientFile is rnx-config.yml as rnx reads it.
type clientFile struct {
	Version string           `yaml:"version"`
	Nodes   map[string]*node `yaml:"nodes"`
}

type node struct {
	Address   string `yaml:"address"`
	NodeID    string `yaml:"nodeId"`
	IsDefault bool   `yaml:"isDefault"`
	Cert      string `yaml:"cert"`
	Key       string `yaml:"key"`
	CA        string `yaml:"ca"`
}

func readYAML(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return yaml.Unmarshal(text, into)
}

// credentials turns three PEM texts into what crypto/tls takes, as both Joblet and rnx do.
func credentials(cert, key, ca string) (tls.Certificate, *x509.CertPool, error) {
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(ca)) {
		return tls.Certificate{}, nil, errors.New("no CA certificate could be read")
	}
	return pair, pool, nil
}

func loadServer(path string) (*tls.Config, error) {
	var file serverFile
	if err := readYAML(path, &file); err != nil {
		return nil, err
	}
	if file.Security.ServerCert == "" || file.Security.ServerKey == "" || file.Security.CACert == "" {
		return nil, errors.New("security is not complete")
	}
	pair, pool, err := credentials(file.Security.ServerCert, file.Security.ServerKey, file.Security.CACert)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
		MinVersion:   tls.VersionTLS13,
	}, nil
}

// loadClient reads the named node; an empty name means the one that rnx would take.
func loadClient(path, name string) (string, *node, *tls.Config, error) {
	var file clientFile
	if err := readYAML(path, &file); err != nil {
		return "", nil, nil, err
	}
	if name == "" {
		var err error
		if name, err = defaultNode(file.Nodes); err != nil {
			return "", nil, nil, err
		}
	}
	chosen := file.Nodes[name]
	if chosen == nil {
		return "", nil, nil, fmt.Errorf("there is no node %q", name)
	}
	pair, pool, err := credentials(chosen.Cert, chosen.Key, chosen.CA)
	if err != nil {
		return "", nil, nil, fmt.Errorf("node %q: %w", name, err)
	}
	return name, chosen, &tls.Config{
		Certificates: []tls.Certificate{pair},
		RootCAs:      pool,
		MinVersion:   tls.VersionTLS13,
	}, nil
}

// defaultNode: the one marked isDefault (at most one may be), else the one named default, else the only one.
func defaultNode(nodes map[string]*node) (string, error) {
	var names, marked []string
	for name, candidate := range nodes {
		names = append(names, name)
		if candidate != nil && candidate.IsDefault {
			marked = append(marked, name)
		}
	}
	sort.Strings(names)
	sort.Strings(marked)
	switch {
	case len(marked) > 1:
		return "", fmt.Errorf("several nodes are marked isDefault: %s", strings.Join(marked, ", "))
	case len(marked) == 1:
		return marked[0], nil
	case nodes["default"] != nil:
		return "default", nil
	case len(names) == 1:
		return names[0], nil
	}
	return "", fmt.Errorf("none of the nodes is the default one: %s", strings.Join(names, ", "))
}
