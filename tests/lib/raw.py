#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends bytes that no HTTP client would: raw.py PORT CASE; prints the status line of the answer,
or "closed" when the connection ended without one.

slow opens many connections that each begin a request and stay, says "ready", and waits.
"""
import socket
import sys
import time

POST = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\n"
CASES = {
    "garbage": bytes(range(256)) * 16 + b"\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n",
    "header": b"GET / HTTP/1.1\r\nX: " + b"a" * 200000 + b"\r\n\r\n",
    "headers": b"GET / HTTP/1.1\r\n" + b"X-Y: z\r\n" * 20000 + b"\r\n",
    "path": b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\n\r\n",
    "length": POST + b"Content-Length: 99999999999\r\n\r\n",
    "overflow": POST + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "negative": POST + b"Content-Length: -1\r\n\r\n",
    "both": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n",
    "gzip": POST + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!",
    "nul": b"GET /v2/models/a%00b HTTP/1.1\r\nHost: x\r\n\r\n",
}


def connect(port):
    s = socket.create_connection(("127.0.0.1", port))
    s.settimeout(20)
    return s


def slow(port):
    held = []
    for i in range(200):
        s = connect(port)
        s.sendall(POST + (b"Content-Length: 1000000\r\n\r\n{" if i % 2 else b"X-Slow"))
        held.append(s)
    print("ready", flush=True)
    time.sleep(600)


def main():
    port, case = int(sys.argv[1]), sys.argv[2]
    if case == "slow":
        slow(port)
    s = connect(port)
    try:
        s.sendall(CASES[case])
        answer = s.recv(65536)
    except ConnectionError:
        answer = b""
    print(answer.split(b"\r\n")[0].decode("latin-1") or "closed")


main()
