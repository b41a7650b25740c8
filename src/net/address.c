/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unix sockets are bound here and not by libuv, which cuts long paths short, says "permission
 * denied" of a missing folder and does not tell a stale socket from a live one.
 */
#include "net/address.h"

#include "core/text.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static int parse_unix(const char *text, struct nx_address *a, struct nx_err *err)
{
	const char *path = text + strlen("unix:");
	size_t len = strlen(path);

	if (len == 0)
		return nx_err_set(err, NX_EUSAGE, "address '%s': the path is missing", text);
	if (len >= sizeof a->path)
		return nx_err_set(err, NX_EUSAGE,
			"address '%s': the path of a Unix socket has at most %zu bytes", text,
			sizeof a->path - 1);
	a->is_unix = true;
	memcpy(a->path, path, len + 1);
	return 0;
}

static bool port_is_valid(const char *s, size_t len)
{
	unsigned port = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		port = port * 10 + (unsigned)(s[i] - '0');
	}
	return port <= 65535;
}

/* Splits "host:port" or "[host]:port"; false when it is neither. */
static bool split_host(const char *s, size_t len, struct nx_address *a)
{
	const char *end = s + len, *host = s, *host_end, *port;

	if (len && *s == '[') {
		host_end = memchr(s, ']', len);
		if (!host_end || host_end + 1 >= end || host_end[1] != ':')
			return false;
		host = s + 1;
		port = host_end + 2;
	} else {
		host_end = memchr(s, ':', len);
		if (!host_end)
			return false;
		port = host_end + 1;
	}
	size_t host_len = (size_t)(host_end - host), port_len = (size_t)(end - port);
	if (!port_is_valid(port, port_len) || host_len >= sizeof a->host ||
		memchr(host, '/', host_len))
		return false;
	memcpy(a->host, host, host_len);
	a->host[host_len] = '\0';
	memcpy(a->port, port, port_len);
	a->port[port_len] = '\0';
	/* RFC 6761: localhost is this machine, also where no file or server says so. */
	if (strcasecmp(a->host, "localhost") == 0)
		memcpy(a->host, "127.0.0.1", sizeof "127.0.0.1");
	return true;
}

int nx_address_parse(const char *text, struct nx_address *a, struct nx_err *err)
{
	const char *s = text;

	memset(a, 0, sizeof *a);
	if (nx_text_has_prefix(text, "unix:"))
		return parse_unix(text, a, err);
	if (nx_text_has_prefix(text, "https://"))
		return nx_err_set(
			err, NX_EUSAGE, "address '%s': TLS is not supported, use http://", text);
	if (nx_text_has_prefix(text, "http://"))
		s += strlen("http://");
	size_t len = strlen(s);
	if (len && s[len - 1] == '/')
		len--;
	if (!split_host(s, len, a))
		return nx_err_set(err, NX_EUSAGE,
			"address '%s': must be http://HOST:PORT, HOST:PORT, :PORT or unix:PATH",
			text);
	if (!a->host[0])
		memcpy(a->host, "127.0.0.1", sizeof "127.0.0.1");
	return 0;
}

int nx_address_resolve(const struct nx_address *a, struct sockaddr_storage *out, size_t max,
	size_t *n, struct nx_err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC };
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(a->host, a->port, &hints, &list);

	if (rc)
		return nx_err_set(err, NX_EUNAVAIL, "cannot find host '%s': %s", a->host,
			rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
	*n = 0;
	for (struct addrinfo *i = list; i && *n < max; i = i->ai_next) {
		if (i->ai_addrlen > sizeof out[0])
			continue;
		memset(&out[*n], 0, sizeof out[0]);
		memcpy(&out[(*n)++], i->ai_addr, i->ai_addrlen);
	}
	freeaddrinfo(list);
	if (*n == 0)
		return nx_err_set(err, NX_EUNAVAIL, "host '%s' has no address", a->host);
	return 0;
}

void nx_address_host(const struct nx_address *a, char *out, size_t size)
{
	if (a->is_unix)
		snprintf(out, size, "localhost");
	else
		snprintf(out, size, strchr(a->host, ':') ? "[%s]:%s" : "%s:%s", a->host, a->port);
}

/* Whether some process answers on the socket file. */
static bool is_live(const struct sockaddr_un *un)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return true; /* cannot tell: rather refuse than take another server's place */
	/* EAGAIN: somebody listens, but the queue is full. */
	bool live = connect(fd, (const struct sockaddr *)un, sizeof *un) == 0 || errno == EAGAIN;
	close(fd);
	return live;
}

static int bind_replacing(int fd, const struct sockaddr_un *un)
{
	struct stat st;

	if (bind(fd, (const struct sockaddr *)un, sizeof *un) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return errno;
	if (lstat(un->sun_path, &st) || !S_ISSOCK(st.st_mode) || is_live(un))
		return EADDRINUSE;
	if (unlink(un->sun_path) || bind(fd, (const struct sockaddr *)un, sizeof *un))
		return errno;
	return 0;
}

int nx_address_bind_unix(const struct nx_address *a, int *fd, struct nx_err *err)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (s < 0)
		return nx_err_set(err, NX_EOS, "cannot make a socket: %s", strerror(errno));
	memcpy(un.sun_path, a->path, sizeof un.sun_path);
	int e = bind_replacing(s, &un);
	if (e) {
		close(s);
		return nx_err_set(err, NX_EUNAVAIL, "cannot listen on 'unix:%s': %s", a->path,
			e == EADDRINUSE ? "address already in use" : strerror(e));
	}
	*fd = s;
	return 0;
}
