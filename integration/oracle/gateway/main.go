// A real grpc-gateway in front of the C++ test server: plays the table of requests and writes down what
// came back. run.sh generates ./gen beside this file, in a folder of the cache.
//
//	oracle BACKEND TABLE GOLDEN
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"krypton.test/oracle/gen"
)

type row struct {
	Name    string      `json:"name"`
	Method  string      `json:"method"`
	Target  string      `json:"target"`
	Headers [][2]string `json:"headers"`
	Body    *string     `json:"body"`
}

// Exactly one of JSON, Lines and Text says what the body was.
type answer struct {
	Name        string            `json:"name"`
	Status      int               `json:"status"`
	ContentType string            `json:"content_type,omitempty"`
	Headers     [][2]string       `json:"headers,omitempty"`
	Trailers    [][2]string       `json:"trailers,omitempty"`
	JSON        json.RawMessage   `json:"json,omitempty"`
	Lines       []json.RawMessage `json:"lines,omitempty"`
	Text        *string           `json:"text,omitempty"`
}

func serve(backend string) net.Addr {
	mux := runtime.NewServeMux()
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if err := gen.RegisterOracleServiceHandlerFromEndpoint(context.Background(), mux, backend, options); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(listener, mux)) }()
	return listener.Addr()
}

// Written by hand: Go's client would repair what the table means to break.
func send(connection net.Conn, r row) error {
	var request bytes.Buffer
	fmt.Fprintf(&request, "%s %s HTTP/1.1\r\nHost: oracle.test\r\n", r.Method, r.Target)
	hop := "close"
	for _, header := range r.Headers {
		if strings.EqualFold(header[0], "te") {
			hop = "close, TE"
		}
		fmt.Fprintf(&request, "%s: %s\r\n", header[0], header[1])
	}
	fmt.Fprintf(&request, "Connection: %s\r\n", hop)
	if r.Body != nil {
		fmt.Fprintf(&request, "Content-Length: %d\r\n", len(*r.Body))
	}
	request.WriteString("\r\n")
	if r.Body != nil {
		request.WriteString(*r.Body)
	}
	_, err := connection.Write(request.Bytes())
	return err
}

// What gRPC's own transport leaves in the metadata; the C++ library keeps it to itself.
var transport = map[string]bool{
	"Grpc-Metadata-Content-Type":           true,
	"Grpc-Metadata-Grpc-Accept-Encoding":   true,
	"Grpc-Trailer-Content-Type":            true,
	"Grpc-Trailer-Grpc-Status-Details-Bin": true,
}

func wanted(header http.Header) [][2]string {
	var found [][2]string
	for name, values := range header {
		if !strings.HasPrefix(name, "Grpc-") && name != "Www-Authenticate" {
			continue
		}
		if transport[name] {
			continue
		}
		for _, value := range values {
			found = append(found, [2]string{name, value})
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i][0]+found[i][1] < found[j][0]+found[j][1] })
	return found
}

func compact(text []byte) json.RawMessage {
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		return nil
	}
	return out.Bytes()
}

func (a *answer) setBody(body []byte) {
	if a.JSON = compact(body); a.JSON != nil && !bytes.HasSuffix(body, []byte("\n")) {
		return
	}
	a.JSON = nil
	for _, line := range bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n")) {
		value := compact(line)
		if value == nil {
			text := string(body)
			a.Lines, a.Text = nil, &text
			return
		}
		a.Lines = append(a.Lines, value)
	}
}

func play(address string, r row) answer {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(20 * time.Second))
	if err := send(connection, r); err != nil {
		log.Fatal(r.Name, ": ", err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: r.Method})
	if err != nil {
		log.Fatal(r.Name, ": ", err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(r.Name, ": ", err)
	}
	result := answer{Name: r.Name, Status: response.StatusCode, ContentType: response.Header.Get("Content-Type"),
		Headers: wanted(response.Header), Trailers: wanted(response.Trailer)}
	result.setBody(body)
	return result
}

func main() {
	text, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	var table []row
	if err := json.Unmarshal(text, &table); err != nil {
		log.Fatal(err)
	}
	address := serve(os.Args[1]).String()
	var golden bytes.Buffer
	golden.WriteString("[\n")
	for i, r := range table {
		var line bytes.Buffer
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(play(address, r)); err != nil {
			log.Fatal(err)
		}
		golden.WriteString("  " + strings.TrimSuffix(line.String(), "\n"))
		if i+1 < len(table) {
			golden.WriteString(",")
		}
		golden.WriteString("\n")
	}
	golden.WriteString("]\n")
	if err := os.WriteFile(os.Args[3], golden.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d answers written to %s\n", len(table), os.Args[3])
}
