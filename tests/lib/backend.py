#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A backend that misbehaves: backend.py SOCKET MODE

It listens on a Unix socket and says that it is ready.  What it answers to inference is MODE:
silent (nothing, ever), drain (503, draining), text (no HTTP), cut (half an answer), wrong (an
answer whose tensor is not what its shape says), refuse (400 with an error).
"""
import os
import socket
import sys
import threading
import time


def http(status, body, length=None):
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {length or len(body)}\r\n\r\n{body}".encode()


ANSWERS = {
    "drain": http(503, '{"error":"draining","reason":"drain"}'),
    "text": b"I speak no HTTP\r\n\r\n",
    "cut": http(200, '{"outputs":[', 4000),
    "wrong": http(200, '{"outputs":[{"name":"x","datatype":"FP32","shape":[1,1000000],"data":[1]}]}'),
    "refuse": http(400, '{"error":"this is not for me"}'),
}


def serve(conn, mode):
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = conn.recv(65536)
            if not more:
                return
            data += more
        head, data = data.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").lower().split("\r\n")
        size = sum(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
        while len(data) < size:
            data += conn.recv(65536)
        data = data[size:]
        if not lines[0].startswith("post"):
            conn.sendall(http(200, '{"ready":true}'))
        elif mode == "silent":
            time.sleep(600)
        else:
            conn.sendall(ANSWERS[mode])
            if mode in ("text", "cut"):
                conn.close()
                return


def main():
    path, mode = sys.argv[1:]
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    print("ready", flush=True)
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=serve, args=(conn, mode), daemon=True).start()


main()
