/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the client: the pool and its calls (client.c) and the connections (link.c). */
#ifndef NX_NET_CLIENT_H
#define NX_NET_CLIENT_H

#include "net/address.h"
#include "net/http.h"
#include "net/message.h"
#include "net/stream.h"

#define NX_CLIENT_MAX_ADDRESSES 8

/* A connection: connecting or busy (call is set) or idle. */
struct nx_http_link {
	union nx_stream s;
	struct nx_http_client *client;
	struct nx_http_link *prev, *next;
	struct nx_http_call *call;
	struct nx_http_call *again; /* to be tried on a fresh connection when this one is closed */
	struct nx_http_message msg;
	struct nx_buf head, body; /* the call's, while libuv writes them */
	uv_connect_t connect;
	uv_write_t write;
	size_t address; /* index in client->addresses */
	int error;      /* why it could not even begin to connect */
	bool connected, reused, got_bytes, writing, closing;
};

struct nx_http_call {
	struct nx_http_client *client;
	struct nx_http_call *prev, *next; /* in the queue */
	bool queued;
	struct nx_http_link *link; /* where it is under way, or waits for the end of */
	struct nx_buf head, body;
	bool bodyless; /* HEAD */
	bool fresh;    /* only on a new connection */
	bool retried;
	size_t tried; /* addresses that refused */
	uv_timer_t timer;
	uint64_t timeout_ms;
	nx_http_answer_fn *fn;
	void *arg;
};

struct nx_http_client {
	uv_loop_t *loop;
	struct nx_address address;
	char *name; /* the address as it was given: for messages */
	char host[sizeof(((struct nx_address *)0)->host) + 16];
	struct sockaddr_storage addresses[NX_CLIENT_MAX_ADDRESSES];
	size_t n_addresses, good; /* 'good' answered last */
	int max_links, n_links;
	struct nx_http_link *links; /* lately idle ones first */
	struct nx_http_call *first, *last;
	int open_handles;
	bool closing;
	char scratch[65536];
};

/* Starts calls that wait for as long as there are connections for them. */
void nx_http_client_pump(struct nx_http_client *c);
/* Puts a call in front of those that wait. */
void nx_http_client_requeue(struct nx_http_call *call);
/* A handle of the client has been closed; frees a closing client with its last one. */
void nx_http_client_handle_closed(struct nx_http_client *c);
/* Ends a call with an answer or an error; 'call' is gone afterwards. */
void nx_http_call_finish(
	struct nx_http_call *call, const struct nx_http_answer *a, const struct nx_err *err);

/* A new connection for the call. */
void nx_http_link_open(struct nx_http_client *c, struct nx_http_call *call);
/* Sends the call on an idle connection. */
void nx_http_link_send(struct nx_http_link *l, struct nx_http_call *call);
void nx_http_link_close(struct nx_http_link *l);

#endif
