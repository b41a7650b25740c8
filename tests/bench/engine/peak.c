/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one core gives at best: a large matrix product through oneDNN in each type it computes
 * in, as operations (two a multiply-add) a second of CPU time; the best of a few runs.  Prints
 * "TYPE GIGA" lines, 0 where the machine has no fast kernel.  Run it pinned, OMP_NUM_THREADS=1.
 */
#include <oneapi/dnnl/dnnl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SIDE 2048
#define RUNS 20

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A descriptor of the product with the layouts oneDNN likes best. */
static dnnl_primitive_desc_t describe(
	dnnl_engine_t engine, dnnl_data_type_t src, dnnl_data_type_t weights, dnnl_data_type_t dst)
{
	const dnnl_dims_t dims = { SIDE, SIDE };
	dnnl_memory_desc_t a, b, c;
	dnnl_matmul_desc_t desc;
	dnnl_primitive_desc_t pd = NULL;

	dnnl_memory_desc_init_by_tag(&a, 2, dims, src, dnnl_ab);
	dnnl_memory_desc_init_by_tag(&b, 2, dims, weights, dnnl_format_tag_any);
	dnnl_memory_desc_init_by_tag(&c, 2, dims, dst, dnnl_ab);
	if (dnnl_matmul_desc_init(&desc, &a, &b, NULL, &c) == dnnl_success &&
		dnnl_primitive_desc_create(&pd, &desc, NULL, engine, NULL) != dnnl_success)
		return NULL;
	return pd;
}

/* Small whole numbers in any of the types: no denormals, no overflow. */
static dnnl_memory_t memory(dnnl_engine_t engine, const dnnl_memory_desc_t *md)
{
	dnnl_memory_t mem = NULL;
	void *data = NULL;

	if (dnnl_memory_create(&mem, md, engine, DNNL_MEMORY_ALLOCATE) != dnnl_success ||
		dnnl_memory_get_data_handle(mem, &data) != dnnl_success)
		return NULL;
	memset(data, 0, dnnl_memory_desc_get_size(md));
	for (size_t i = 0; i < (size_t)SIDE * SIDE; i++)
		if (md->data_type == dnnl_f32)
			((float *)data)[i] = (float)(i % 7);
		else if (md->data_type == dnnl_bf16)
			((unsigned short *)data)[i] = 0x3f80;
		else if (md->data_type != dnnl_s32)
			((signed char *)data)[i] = (signed char)(i % 7);
	return mem;
}

static double measure(dnnl_engine_t engine, dnnl_stream_t stream, dnnl_primitive_desc_t pd)
{
	static const int queries[] = { dnnl_query_src_md, dnnl_query_weights_md,
		dnnl_query_dst_md };
	static const int names[] = { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST };
	dnnl_exec_arg_t args[3];
	dnnl_primitive_t primitive;
	double best = 0;

	for (int i = 0; i < 3; i++) {
		args[i].arg = names[i];
		args[i].memory = memory(
			engine, dnnl_primitive_desc_query_md(pd, (dnnl_query_t)queries[i], 0));
		if (!args[i].memory)
			return 0;
	}
	if (dnnl_primitive_create(&primitive, pd) != dnnl_success)
		return 0;
	for (int i = 0; i < RUNS; i++) {
		double start = cpu_s();
		dnnl_primitive_execute(primitive, stream, 3, args);
		dnnl_stream_wait(stream);
		double rate = 2.0 * SIDE * SIDE * SIDE / (cpu_s() - start) / 1e9;
		best = rate > best ? rate : best;
	}
	dnnl_primitive_destroy(primitive);
	for (int i = 0; i < 3; i++)
		dnnl_memory_destroy(args[i].memory);
	return best;
}

int main(void)
{
	static const struct {
		const char *name;
		dnnl_data_type_t src, weights, dst;
	} types[] = {
		{ "fp32", dnnl_f32, dnnl_f32, dnnl_f32 },
		{ "bf16", dnnl_bf16, dnnl_bf16, dnnl_bf16 },
		{ "int8", dnnl_u8, dnnl_s8, dnnl_s32 },
	};
	dnnl_engine_t engine;
	dnnl_stream_t stream;

	if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success ||
		dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) != dnnl_success)
		return 70;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		dnnl_primitive_desc_t pd =
			describe(engine, types[i].src, types[i].weights, types[i].dst);
		printf("%s %.1f\n", types[i].name, pd ? measure(engine, stream, pd) : 0.0);
		if (pd)
			dnnl_primitive_desc_destroy(pd);
	}
	dnnl_stream_destroy(stream);
	dnnl_engine_destroy(engine);
	return 0;
}
