package wire

// Opcodes of TFTP (RFC 1350, section 5; RFC 2347, section 2).
const (
	TFTPRead  = 1 // RRQ
	TFTPData  = 3
	TFTPAck   = 4
	TFTPError = 5
	TFTPOACK  = 6
)
