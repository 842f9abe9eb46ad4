package main

// Frame types and flags of RFC 9113.
const (
	frameData     = 0
	frameHeaders  = 1
	frameReset    = 3
	frameSettings = 4
	framePing     = 6
	frameGoAway   = 7
	frameWindow   = 8

	flagEndStream  = 0x1 // of DATA and HEADERS
	flagAck        = 0x1 // of SETTINGS and PING
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20

	settingTableSize  = 1
	settingWindowSize = 4
)

const (
	preface      = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	ownWindow    = 1 << 30 // bytes that the server may send before it hears from us
	serverWindow = 65535   // bytes that we may send before we hear from the server
	grpcFrame    = 5       // bytes before the message of a reply
)
