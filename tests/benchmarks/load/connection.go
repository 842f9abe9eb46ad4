package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2/hpack"
)

// A call is one stream from its request to its trailers.
type call struct {
	began  time.Time
	bytes  int
	status string
}

// A connection keeps a number of calls in flight until the supply is used up.
type connection struct {
	in        *bufio.Reader
	out       *bufio.Writer
	encoder   *hpack.Encoder
	decoder   *hpack.Decoder
	encoded   bytes.Buffer
	headers   []hpack.HeaderField
	work      *supply
	inFlight  int
	body      []byte // taken from the supply, not sent yet
	calls     map[uint32]*call
	current   *call // the one whose header block is being decoded
	nextID    uint32
	window    int
	received  int
	payload   [1 << 14]byte
	latencies []time.Duration
	statuses  map[string]int
}

func newConnection(socket net.Conn, address, path string, work *supply, inFlight int) *connection {
	c := &connection{
		in:  bufio.NewReaderSize(socket, 1<<16),
		out: bufio.NewWriterSize(socket, 1<<16),
		headers: []hpack.HeaderField{
			{Name: ":method", Value: "POST"},
			{Name: ":scheme", Value: "http"},
			{Name: ":path", Value: path},
			{Name: ":authority", Value: address},
			{Name: "content-type", Value: "application/grpc"},
			{Name: "te", Value: "trailers"},
		},
		work:     work,
		inFlight: inFlight,
		calls:    make(map[uint32]*call, inFlight),
		nextID:   1, // a client's streams are odd
		window:   serverWindow,
		statuses: map[string]int{},
	}
	c.encoder = hpack.NewEncoder(&c.encoded)
	c.decoder = hpack.NewDecoder(4096, func(field hpack.HeaderField) {
		if c.current != nil && field.Name == "grpc-status" {
			c.current.status = field.Value
		}
	})
	return c
}

func (c *connection) run() error {
	c.out.WriteString(preface)
	c.write(frameSettings, 0, 0, binary.BigEndian.AppendUint32([]byte{0, settingWindowSize}, ownWindow))
	c.write(frameWindow, 0, 0, binary.BigEndian.AppendUint32(nil, ownWindow))
	c.send()
	for len(c.calls) > 0 || c.body != nil {
		if c.in.Buffered() == 0 {
			if err := c.out.Flush(); err != nil {
				return err
			}
		}
		if err := c.receive(); err != nil {
			return err
		}
	}
	return nil
}

// send starts calls until enough are in flight, the window is used up, or there are no more.
func (c *connection) send() {
	for len(c.calls) < c.inFlight {
		if c.body == nil {
			body, more := c.work.next()
			if !more {
				return
			}
			c.body = body
		}
		if len(c.body) > c.window {
			return
		}
		c.encoded.Reset()
		for _, field := range c.headers {
			c.encoder.WriteField(field)
		}
		c.calls[c.nextID] = &call{began: time.Now()}
		c.write(frameHeaders, flagEndHeaders, c.nextID, c.encoded.Bytes())
		c.write(frameData, flagEndStream, c.nextID, c.body)
		c.nextID += 2
		c.window -= len(c.body)
		c.body = nil
	}
}

func (c *connection) write(kind, flags byte, stream uint32, payload []byte) {
	size := len(payload)
	header := [9]byte{byte(size >> 16), byte(size >> 8), byte(size), kind, flags}
	binary.BigEndian.PutUint32(header[5:], stream)
	c.out.Write(header[:])
	c.out.Write(payload)
}

func (c *connection) receive() error {
	var header [9]byte
	if _, err := io.ReadFull(c.in, header[:]); err != nil {
		return fmt.Errorf("with %d calls in flight: %w", len(c.calls), err)
	}
	size := int(header[0])<<16 | int(header[1])<<8 | int(header[2])
	if size > len(c.payload) {
		return fmt.Errorf("a frame of %d bytes is larger than was offered", size)
	}
	payload := c.payload[:size]
	if _, err := io.ReadFull(c.in, payload); err != nil {
		return err
	}
	kind, flags := header[3], header[4]
	return c.take(kind, flags, binary.BigEndian.Uint32(header[5:])&0x7fffffff, payload)
}

func (c *connection) take(kind, flags byte, stream uint32, payload []byte) error {
	switch kind {
	case frameData:
		c.data(stream, len(payload))
		if flags&flagEndStream != 0 {
			c.end(stream)
		}
	case frameHeaders:
		return c.fields(flags, stream, payload)
	case frameReset:
		if broken := c.calls[stream]; broken != nil {
			broken.status = "reset"
			c.end(stream)
		}
	case frameSettings:
		if flags&flagAck == 0 {
			c.settings(payload)
		}
	case framePing:
		if flags&flagAck == 0 {
			c.write(framePing, flagAck, 0, payload)
		}
	case frameGoAway:
		return fmt.Errorf("the server closed the connection: %q", payload)
	case frameWindow:
		if stream == 0 {
			c.window += int(binary.BigEndian.Uint32(payload))
			c.send()
		}
	}
	return nil
}

func (c *connection) data(stream uint32, size int) {
	if answered := c.calls[stream]; answered != nil {
		answered.bytes += size
	}
	c.received += size
	if c.received > ownWindow/2 {
		c.write(frameWindow, 0, 0, binary.BigEndian.AppendUint32(nil, uint32(c.received)))
		c.received = 0
	}
}

// fields decodes a header block; the last one of a stream has the call's status.
func (c *connection) fields(flags byte, stream uint32, payload []byte) error {
	if flags&flagEndHeaders == 0 {
		return errors.New("a header block of more than one frame is not read here")
	}
	if flags&flagPadded != 0 {
		payload = payload[1 : len(payload)-int(payload[0])]
	}
	if flags&flagPriority != 0 {
		payload = payload[5:]
	}
	c.current = c.calls[stream]
	if _, err := c.decoder.Write(payload); err != nil {
		return err
	}
	if flags&flagEndStream != 0 {
		c.end(stream)
	}
	return c.decoder.Close()
}

func (c *connection) settings(payload []byte) {
	for ; len(payload) >= 6; payload = payload[6:] {
		if binary.BigEndian.Uint16(payload) == settingTableSize {
			c.encoder.SetMaxDynamicTableSizeLimit(binary.BigEndian.Uint32(payload[2:]))
		}
	}
	c.write(frameSettings, flagAck, 0, nil)
}

func (c *connection) end(stream uint32) {
	ended := c.calls[stream]
	if ended == nil {
		return
	}
	delete(c.calls, stream)
	c.latencies = append(c.latencies, time.Since(ended.began))
	switch {
	case ended.status == "":
		ended.status = "none"
	case ended.status == "0" && ended.bytes < grpcFrame:
		ended.status = "empty"
	}
	c.statuses[ended.status]++
	c.send()
}
