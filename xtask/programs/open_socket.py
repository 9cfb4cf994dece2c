# Tries to reach the port it is given.
import sys

try:
    import socket

    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2) as connection:
        connection.sendall(b"got out")
        print("CONNECTED")
except Exception as error:
    print("refused", error.__class__.__name__, error)
