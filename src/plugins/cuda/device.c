/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/cuda/device.h"

#include "core/alloc.h"
#include "fuse/fuse.h"
#include "core/log.h"
#include "plugins/args.h"

#include <stdlib.h>
#include <string.h>

/* Whether nothing works in this process after an error. */
static bool is_sticky(cudaError_t e)
{
	static const cudaError_t sticky[] = { cudaErrorIllegalAddress, cudaErrorLaunchFailure,
		cudaErrorLaunchTimeout, cudaErrorIllegalInstruction, cudaErrorMisalignedAddress,
		cudaErrorInvalidAddressSpace, cudaErrorInvalidPc, cudaErrorHardwareStackError,
		cudaErrorECCUncorrectable, cudaErrorAssert, cudaErrorDevicesUnavailable,
		cudaErrorContextIsDestroyed, cudaErrorUnknown };

	for (size_t i = 0; i < NX_ARRAY_LEN(sticky); i++)
		if (e == sticky[i])
			return true;
	return false;
}

int cu_check(struct nx_plugin_device *dev, cudaError_t e, const char *what, struct nx_err *err)
{
	if (e == cudaSuccess)
		return 0;
	cudaGetLastError(); /* a passing error must not be seen by the next call */
	if (e == cudaErrorMemoryAllocation)
		return nx_err_set(err, NX_EOS, "no GPU memory (%s)", what);
	dev->lost = dev->lost || is_sticky(e);
	return nx_err_set(err, NX_EUNAVAIL, "%s: %s%s", what, cudaGetErrorString(e),
		dev->lost ? "; the GPU is lost to this process" : "");
}

/* ---- what is there --------------------------------------------------------------------------- */

/* Why there is no GPU, or NULL.  The count means nothing after an error. */
static const char *count_devices(int *count)
{
	cudaError_t e = cudaGetDeviceCount(count);

	if (e == cudaSuccess)
		return *count ? NULL : "no GPU is there";
	*count = 0;
	cudaGetLastError();
	if (e == cudaErrorInsufficientDriver || e == cudaErrorStubLibrary)
		return "no NVIDIA driver, or one that is too old";
	return cudaGetErrorString(e);
}

static bool fill_info(int ordinal, struct nx_device_info *info, int *major)
{
	struct cudaDeviceProp p;

	if (cudaGetDeviceProperties(&p, ordinal) != cudaSuccess) {
		cudaGetLastError();
		return false;
	}
	*major = p.major;
	memset(info, 0, sizeof *info);
	snprintf(info->name, sizeof info->name, "%.127s", p.name);
	snprintf(info->spec, sizeof info->spec, "cuda:%d", ordinal);
	snprintf(info->precision, sizeof info->precision, "fp16");
	info->memory_bytes = p.totalGlobalMem;
	info->threads_max = info->threads = 1;
	return true;
}

int cu_device_list(
	const struct nx_host *host, struct nx_device_info *infos, int max, struct nx_err *err)
{
	struct nx_device_info info;
	int count, major, n = 0;
	const char *why = count_devices(&count);

	(void)err;
	if (why)
		host->log(NX_LOG_DEBUG, why);
	for (int i = 0; i < count; i++) {
		if (!fill_info(i, &info, &major))
			continue;
		if (n < max)
			infos[n] = info;
		n++;
	}
	return n;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* "0" or "0,off=gate+pad" or "". */
static int parse_args(struct nx_plugin_device *dev, const char *args, struct nx_err *err)
{
	char key[NX_ARG_SIZE], value[NX_ARG_SIZE], *end;
	int rc;

	if (*args >= '0' && *args <= '9') {
		long n = strtol(args, &end, 10);
		if (n > 1023 || (*end && *end != ','))
			return nx_err_set(err, NX_EUSAGE, "device 'cuda': '%s' is no GPU", args);
		dev->ordinal = (int)n;
		args = *end ? end + 1 : end;
	}
	while ((rc = nx_arg_next(&args, "cuda", key, value, err)) == 1) {
		if (strcmp(key, "off") != 0)
			return nx_err_set(err, NX_EUSAGE,
				"device 'cuda': unknown key '%s' (known: off)", key);
		if (nx_passes_parse(value, "cuda", NULL, 0, &dev->off, err))
			return -err->code;
	}
	return rc;
}

static int find_device(
	struct nx_plugin_device *dev, struct nx_device_info *info, struct nx_err *err)
{
	int count, major;
	const char *why = count_devices(&count);

	if (why)
		return nx_err_set(err, NX_EUNAVAIL, "device 'cuda': %s", why);
	if (dev->ordinal >= count)
		return nx_err_set(err, NX_EUNAVAIL, "device 'cuda:%d': there are %d GPUs",
			dev->ordinal, count);
	if (!fill_info(dev->ordinal, info, &major))
		return nx_err_set(
			err, NX_EUNAVAIL, "device 'cuda:%d' does not answer", dev->ordinal);
	if (major < 8)
		return nx_err_set(err, NX_EUNAVAIL,
			"device 'cuda:%d' (%s) is older than compute capability 8.0", dev->ordinal,
			info->name);
	return 0;
}

static int open_libraries(struct nx_plugin_device *dev, struct nx_err *err)
{
	if (cu_check(dev, cudaSetDevice(dev->ordinal), "opening the GPU", err) ||
		cu_check(dev, cudaStreamCreateWithFlags(&dev->stream, cudaStreamNonBlocking),
			"stream", err) ||
		cu_check(dev, cudaMalloc(&dev->workspace, CU_WORKSPACE_BYTES), "workspace", err))
		return -err->code;
	int rc = cu_dnn_open(dev->stream, &dev->dnn, err);
	return rc ? rc : cu_lt_open(&dev->lt, err);
}

int cu_device_open(const struct nx_host *host, const char *args, struct nx_plugin_device **out,
	struct nx_device_info *info, struct nx_err *err)
{
	struct nx_plugin_device *dev = nx_alloc(1, sizeof *dev);

	dev->host = host;
	int rc = parse_args(dev, args, err);
	if (rc == 0)
		rc = find_device(dev, info, err);
	if (rc == 0)
		rc = open_libraries(dev, err);
	if (rc)
		cu_device_close(&dev);
	else
		*out = dev;
	return rc;
}

void cu_device_close(struct nx_plugin_device **pdev)
{
	struct nx_plugin_device *dev = *pdev;

	if (!dev)
		return;
	cu_lt_close(&dev->lt);
	cu_dnn_close(&dev->dnn);
	if (dev->workspace)
		cudaFree(dev->workspace);
	if (dev->stream)
		cudaStreamDestroy(dev->stream);
	free(dev->weights);
	free(dev);
	*pdev = NULL;
}

/* ---- constants ------------------------------------------------------------------------------- */

static struct cu_weights *find_weights(struct nx_plugin_device *dev, const struct cu_buf *buf)
{
	for (size_t i = 0; i < dev->n_weights; i++) {
		struct cu_weights *w = dev->weights[i];
		if (w->bytes == buf->bytes && strcmp(w->digest, buf->digest) == 0)
			return w;
	}
	return NULL;
}

int cu_weights_get(struct nx_plugin_device *dev, const struct cu_buf *buf, struct cu_weights **out,
	struct nx_err *err)
{
	struct cu_weights *w = find_weights(dev, buf);

	if (!w) {
		w = nx_alloc(1, sizeof *w);
		w->bytes = buf->bytes;
		memcpy(w->digest, buf->digest, sizeof w->digest);
		/* Kernels read whole vectors of 16 bytes. */
		int rc = cu_check(dev, cudaMalloc(&w->data, buf->bytes + 16), "weights", err);
		if (rc == 0)
			rc = cu_check(dev,
				cudaMemcpy(w->data, buf->data, buf->bytes, cudaMemcpyHostToDevice),
				"weights", err);
		if (rc) {
			cudaFree(w->data);
			free(w);
			return rc;
		}
		dev->weights = nx_grow(dev->weights, &dev->cap_weights, dev->n_weights + 1,
			sizeof(struct cu_weights *));
		dev->weights[dev->n_weights++] = w;
	}
	w->refs++;
	*out = w;
	return 0;
}

void cu_weights_put(struct nx_plugin_device *dev, struct cu_weights *w)
{
	if (--w->refs)
		return;
	for (size_t i = 0; i < dev->n_weights; i++) {
		if (dev->weights[i] == w) {
			dev->weights[i] = dev->weights[--dev->n_weights];
			break;
		}
	}
	cudaFree(w->data);
	free(w);
}
