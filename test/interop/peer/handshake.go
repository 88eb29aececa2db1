package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

const (
	deadline = 20 * time.Second
	greeting = "who am I"
)

// answer is what the server sends to a client that it let in.
type answer struct {
	Echo string `json:"echo"`
	Role string `json:"role"`
}

// handshake connects both sides over loopback TCP and sends a message in each direction. In TLS 1.3 the client finishes
// first: only the server's answer shows that it accepted the client. The errors are what each side met.
func handshake(server, client *tls.Config) (role string, serverErr, clientErr error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err, nil
	}
	defer listener.Close()

	served := make(chan error, 1)
	go func() { served <- serveOne(listener, server) }()
	role, clientErr = ask(listener.Addr().String(), client)
	if clientErr != nil {
		// Whatever the server still waits for does not come any more.
		listener.Close()
	}
	return role, <-served, clientErr
}

func serveOne(listener net.Listener, config *tls.Config) error {
	raw, err := listener.Accept()
	if err != nil {
		return err
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(deadline))
	conn := tls.Server(raw, config)
	if err := conn.Handshake(); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	role, err := roleOf(conn.ConnectionState())
	if err != nil {
		return err
	}
	if err := json.NewEncoder(conn).Encode(answer{Echo: strings.TrimSpace(line), Role: role}); err != nil {
		return err
	}
	return conn.Close()
}

func ask(address string, config *tls.Config) (string, error) {
	raw, err := net.DialTimeout("tcp", address, deadline)
	if err != nil {
		return "", err
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(deadline))
	conn := tls.Client(raw, config)
	if err := conn.Handshake(); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(conn, greeting); err != nil {
		return "", err
	}
	var reply answer
	if err := json.NewDecoder(conn).Decode(&reply); err != nil {
		return "", err
	}
	if reply.Echo != greeting {
		return "", fmt.Errorf("the server understood %q", reply.Echo)
	}
	if version := conn.ConnectionState().Version; version != tls.VersionTLS13 {
		return "", fmt.Errorf("the connection is %s", tls.VersionName(version))
	}
	return reply.Role, nil
}

// roleOf: the OU of the client's certificate. Releases differ about several, so there has to be one.
func roleOf(state tls.ConnectionState) (string, error) {
	units := state.PeerCertificates[0].Subject.OrganizationalUnit
	if len(units) != 1 {
		return "", fmt.Errorf("the client's certificate has %d OUs", len(units))
	}
	return units[0], nil
}

// cause picks the error of the side that refused: the other one merely sees an alert, or the end of the connection.
func cause(serverErr, clientErr error) (by string, err error) {
	switch {
	case serverErr != nil && !fromPeer(serverErr):
		return "server", serverErr
	case clientErr != nil && !fromPeer(clientErr):
		return "client", clientErr
	case serverErr != nil:
		return "server", serverErr
	case clientErr != nil:
		return "client", clientErr
	}
	return "", nil
}

func fromPeer(err error) bool {
	var operation *net.OpError
	if errors.As(err, &operation) && operation.Op == "remote error" {
		return true
	}
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}
