/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs that run on a GPU share: the plugin linked in, and ONNX files read without
 * the libraries that a bare machine lacks. */
#ifndef NX_TESTS_GPU_H
#define NX_TESTS_GPU_H

#include "core/clock.h"
#include "core/err.h"
#include "core/fs.h"
#include "model/build.h"
#include "plugins/plugin.h"

#include <stdio.h>

const struct nx_plugin *nx_plugin_entry(void);

static inline void gpu_log(int level, const char *text)
{
	if (level < 2)
		fprintf(stderr, "%s\n", text);
}

static inline const struct nx_host *gpu_host(void)
{
	static const struct nx_host host = {
		.size = sizeof host,
		.log = gpu_log,
		.now_ns = nx_now_ns,
	};

	return &host;
}

/* The graph of an ONNX file. */
static inline int gpu_load(const char *path, struct nx_graph **out, struct nx_err *err)
{
	struct nx_buf buf = NX_BUF_INIT;

	if (nx_fs_read(path, (size_t)1 << 30, &buf, err))
		return -err->code;
	const struct nx_onnx_file file = { (const uint8_t *)buf.data, buf.len, -1 };
	int rc = nx_onnx_load(&file, out, err);
	nx_buf_release(&buf);
	return rc;
}

#endif
