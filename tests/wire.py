"""Plain HTTP on the loopback."""

import ssl

# httpx reads a file of authorities for each client it makes, 25 ms of the processor; this it takes as it is.
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
