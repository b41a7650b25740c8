/* SPDX-License-Identifier: Apache-2.0 */
/* What the server and the client share about libuv streams. */
#ifndef NX_NET_STREAM_H
#define NX_NET_STREAM_H

#include <stddef.h>
#include <uv.h>

/* A TCP or a Unix socket. */
union nx_stream {
	uv_handle_t handle;
	uv_stream_t stream;
	uv_tcp_t tcp;
	uv_pipe_t pipe;
};

/* A peer that closes early must be an error of a write, not a signal that ends the process. */
void nx_stream_ignore_sigpipe(void);

/* "Not Found" */
const char *nx_http_status_text(int status);

#define NX_MEMBER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
