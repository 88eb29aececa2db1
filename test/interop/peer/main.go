// Peer reads joblet-config.yml and rnx-config.yml the way Joblet and rnx do, and lets the two talk over loopback.
package main

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
)

const usage = `usage: peer handshake --server joblet-config.yml --client rnx-config.yml [options]

Prints one line of JSON: ok, role, node, address, error, refusedBy. Exits with 0 when the handshake completed, with 1
when it did not, with 2 when it was called wrongly.
`

// pinned is the name that rnx expects of every server, whatever address it dials.
const pinned = "joblet"

type outcome struct {
	OK   bool   `json:"ok"`
	Role string `json:"role"`
	// Node and Address: which of the client's nodes was taken, and what it dials.
	Node      string `json:"node"`
	Address   string `json:"address"`
	Error     string `json:"error"`
	RefusedBy string `json:"refusedBy"`
}

type options struct {
	server, client, node, serverName, host    string
	noClientCert, forceClientCert, pythonLike bool
}

func main() {
	if len(os.Args) < 2 || os.Args[1] != "handshake" {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	var given options
	flags := flag.NewFlagSet("handshake", flag.ExitOnError)
	flags.StringVar(&given.server, "server", "", "joblet-config.yml")
	flags.StringVar(&given.client, "client", "", "rnx-config.yml")
	flags.StringVar(&given.node, "node", "", "node of the client file (default: the one that rnx takes)")
	flags.StringVar(&given.serverName, "server-name", pinned, "name that the server's certificate must have")
	flags.BoolVar(&given.noClientCert, "no-client-cert", false, "present no certificate")
	flags.BoolVar(&given.forceClientCert, "force-client-cert", false,
		"present the certificate even to a server that does not announce its CA")
	flags.BoolVar(&given.pythonLike, "python-like", false,
		"as the Python client: node default, and the dialled host is checked")
	flags.StringVar(&given.host, "host", "", "with --python-like: the host that is dialled (default: the node's)")
	_ = flags.Parse(os.Args[2:])
	if given.server == "" || given.client == "" || flags.NArg() > 0 || (given.host != "" && !given.pythonLike) {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}

	result := run(given)
	line, err := json.Marshal(result)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
	if !result.OK {
		os.Exit(1)
	}
}

func run(given options) outcome {
	server, err := loadServer(given.server)
	if err != nil {
		return outcome{Error: "server file: " + err.Error()}
	}
	if given.pythonLike && given.node == "" {
		given.node = "default"
	}
	name, chosen, client, err := loadClient(given.client, given.node)
	if err != nil {
		return outcome{Error: "client file: " + err.Error()}
	}
	result := outcome{Node: name, Address: chosen.Address}

	client.ServerName = given.serverName
	if given.pythonLike {
		if client.ServerName, err = dialledHost(given.host, chosen.Address); err != nil {
			result.Error = "client file: " + err.Error()
			return result
		}
	}
	if given.forceClientCert {
		pair := client.Certificates[0]
		client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	if given.noClientCert {
		client.Certificates = nil
	}

	role, serverErr, clientErr := handshake(server, client)
	by, err := cause(serverErr, clientErr)
	if err != nil {
		result.RefusedBy, result.Error = by, err.Error()
		return result
	}
	result.OK, result.Role = true, role
	return result
}

// dialledHost: host, or that of the address, without the brackets of an IPv6 address.
func dialledHost(host, address string) (string, error) {
	if host == "" {
		var err error
		if host, _, err = net.SplitHostPort(address); err != nil {
			return "", err
		}
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), nil
}
