/* SPDX-License-Identifier: Apache-2.0 */
#include "net/daemon.h"

#include "core/alloc.h"
#include "core/fs.h"
#include "core/log.h"
#include "core/text.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ON_HUP, ON_TERM, ON_INT, N_SIGNALS };
static const int signals[N_SIGNALS] = { SIGHUP, SIGTERM, SIGINT };

struct nx_daemon {
	struct nx_daemon_ops ops;
	uv_signal_t signal[N_SIGNALS];
	uv_timer_t timer;
	int handles; /* that are open */
	struct nx_http_server **server;
	size_t n_servers, n_draining;
	bool draining;
};

void nx_daemon_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;

	if (len < 2 || len >= sizeof addr.sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(addr.sun_path, path, len);
	if (path[0] == '@') /* an abstract name */
		addr.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr, size) < 0)
		nx_warn("cannot notify '%s' of %s", path, state);
	close(fd);
}

static void server_drained(void *arg)
{
	struct nx_daemon *d = arg;

	if (--d->n_draining)
		return;
	uv_timer_stop(&d->timer);
	d->ops.stopped(d->ops.arg);
}

static void on_expired(uv_timer_t *t)
{
	struct nx_daemon *d = t->data;

	d->ops.expired(d->ops.arg);
}

static void begin_drain(struct nx_daemon *d)
{
	d->draining = true;
	nx_daemon_notify("STOPPING=1");
	d->ops.drain(d->ops.arg);
	uv_timer_start(&d->timer, on_expired, d->ops.drain_ms, 0);
	d->n_draining = d->n_servers;
	for (size_t i = 0; i < d->n_servers; i++)
		nx_http_server_drain(d->server[i], server_drained, d);
}

static void on_signal(uv_signal_t *h, int signum)
{
	struct nx_daemon *d = h->data;

	if (d->draining && signum != SIGHUP) {
		/* Dying of the signal itself gives the status a shell expects: 128 + number. */
		signal(signum, SIG_DFL);
		raise(signum);
	} else if (signum != SIGHUP) {
		begin_drain(d);
	} else if (!d->draining) {
		d->ops.reload(d->ops.arg);
	}
}

static void nothing(void *arg)
{
	(void)arg;
}

static int make_socket_dir(const char *address, struct nx_err *err)
{
	int rc = 0;

	if (!nx_text_has_prefix(address, "unix:"))
		return 0;
	char *dir = nx_strdup(address + strlen("unix:"));
	char *slash = strrchr(dir, '/');
	if (slash && slash != dir) {
		*slash = '\0';
		if (access(dir, F_OK))
			rc = nx_fs_mkdirs(dir, 0700, err);
	}
	free(dir);
	return rc;
}

static int listen_all(struct nx_daemon *d, uv_loop_t *loop, const char *const *address, size_t n,
	struct nx_err *err)
{
	int rc = 0;

	d->server = nx_alloc(n, sizeof(struct nx_http_server *));
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = make_socket_dir(address[i], err);
		if (rc == 0)
			rc = nx_http_listen(loop, address[i], NULL, d->ops.request, d->ops.arg,
				&d->server[i], err);
		if (rc == 0)
			d->n_servers++;
	}
	for (size_t i = 0; rc && i < d->n_servers; i++)
		nx_http_server_drain(d->server[i], nothing, NULL);
	return rc;
}

int nx_daemon_start(uv_loop_t *loop, const struct nx_daemon_ops *ops, const char *const *address,
	size_t n, struct nx_daemon **out, struct nx_err *err)
{
	struct nx_daemon *d = nx_alloc(1, sizeof *d);

	d->ops = *ops;
	if (listen_all(d, loop, address, n, err)) {
		free(d->server);
		free(d);
		return -err->code;
	}
	signal(SIGPIPE, SIG_IGN);
	uv_timer_init(loop, &d->timer);
	d->timer.data = d;
	for (int i = 0; i < N_SIGNALS; i++) {
		uv_signal_init(loop, &d->signal[i]);
		d->signal[i].data = d;
		uv_signal_start(&d->signal[i], on_signal, signals[i]);
	}
	d->handles = N_SIGNALS + 1;
	for (size_t i = 0; i < n; i++)
		nx_info("listening on %s", nx_http_server_address(d->server[i]));
	nx_daemon_notify("READY=1");
	*out = d;
	return 0;
}

static void on_close(uv_handle_t *h)
{
	struct nx_daemon *d = h->data;

	if (--d->handles)
		return;
	free(d->server);
	free(d);
}

void nx_daemon_close(struct nx_daemon **pd)
{
	struct nx_daemon *d = *pd;

	if (!d)
		return;
	uv_close((uv_handle_t *)&d->timer, on_close);
	for (int i = 0; i < N_SIGNALS; i++)
		uv_close((uv_handle_t *)&d->signal[i], on_close);
	*pd = NULL;
}
