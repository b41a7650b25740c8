/* SPDX-License-Identifier: Apache-2.0 */
/* Where a server listens and a client connects: "http://host:port", "host:port", "[::1]:port",
 * ":port" (loopback) or "unix:PATH". */
#ifndef NX_NET_ADDRESS_H
#define NX_NET_ADDRESS_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct nx_address {
	bool is_unix;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* of a Unix socket */
	char host[256];                                         /* without brackets */
	char port[6];
};

/* NX_EUSAGE when the text is none of the forms above. */
int nx_address_parse(const char *text, struct nx_address *a, struct nx_err *err);

/* Up to 'max' socket addresses of a TCP address; asks the resolver and waits for it.
 * NX_EUNAVAIL when the name is unknown. */
int nx_address_resolve(const struct nx_address *a, struct sockaddr_storage *out, size_t max,
	size_t *n, struct nx_err *err);

/* The value of a Host header: "host:port", "[::1]:port"; "localhost" for a Unix socket. */
void nx_address_host(const struct nx_address *a, char *out, size_t size);

/* A bound Unix socket in *fd; a stale socket file is replaced, a live one or a file of another
 * kind is NX_EUNAVAIL. */
int nx_address_bind_unix(const struct nx_address *a, int *fd, struct nx_err *err);

#endif
