/* SPDX-License-Identifier: Apache-2.0 */
/* The cpu device's own kernels for what lies between convolutions, on random graphs. */
#include "oracle.h"

#define ROWS 5

/* Not the numbers in the graphs, which begin anew with each of them. */
static struct nx_rng dice;

static int below(int n)
{
	return (int)nx_rng_below(&dice, (uint64_t)n);
}

/* The input itself, row-major, or what a convolution makes of it, channels last. */
static int source(struct nx_graph *g, int64_t channels, int64_t out)
{
	if (below(2))
		return g->in[0];
	return NODE(g, "Conv", g->in[0], weights(g, SHAPE(out, channels, 1, 1)));
}

/* Compares some rows, and sees that they run with a kernel (NULL: any). */
static void check_rows(
	struct nx_engine *e, const char *what, const char *kernel, struct nx_graph *g, size_t rows)
{
	struct answer a;

	ask(e, what, g, rows, ROWS, NULL, &a);
	if (kernel) {
		char *name = nx_asprintf("/%s ", kernel);
		ck_assert_msg(
			strstr(a.kernels, name), "%s: no '%s' in %s", what, kernel, a.kernels);
		free(name);
	}
	compare(what, a.got, a.want, a.n, 1e-5f, 1e-4f);
	answer_release(&a);
}

/* The same for one row and more; frees the graph. */
static void check_kernel(const char *what, const char *kernel, struct nx_graph *g, int value)
{
	struct nx_engine *e = open_cpu("cpu");

	output(g, value);
	check_rows(e, what, kernel, g, 1);
	check_rows(e, what, kernel, g, ROWS);
	nx_graph_free(&g);
	nx_engine_close(&e);
}

static int reals(struct nx_graph *g, size_t n, const float *values)
{
	int v = constant(g, 0, 1, SHAPE((int64_t)n));

	memcpy(g->values[v].constant->data, values, n * sizeof *values);
	return v;
}

START_TEST(pictures_are_resized)
{
	static const char *const modes[] = { "nearest", "linear", "cubic" };
	static const char *const places[] = { "half_pixel", "pytorch_half_pixel", "align_corners",
		"asymmetric" };
	static const char *const rounding[] = { "round_prefer_floor", "round_prefer_ceil", "floor",
		"ceil" };

	nx_rng_init(&dice, 1);
	for (int i = 0; i < 60; i++) {
		int64_t c = 1 + below(20), h = 1 + below(9), w = 1 + below(9);
		const char *mode = modes[i % 3];
		struct nx_graph *g = graph(SHAPE(1, c, h, w));
		int x = source(g, c, c), y;
		if (i % 2) {
			float scale[4] = { 1, 1, 0.4f + (float)below(30) / 10,
				0.4f + (float)below(30) / 10 };
			scale[2] = fmaxf(scale[2], 1 / (float)h);
			scale[3] = fmaxf(scale[3], 1 / (float)w);
			y = NODE(g, "Resize", x, NX_NO_VALUE, reals(g, 4, scale));
		} else {
			/* Sizes take the batch from the shape of one row. */
			float scale[4] = { 1, 1, (float)(1 + below(4)), (float)(1 + below(4)) };
			y = NODE(g, "Resize", x, NX_NO_VALUE, reals(g, 4, scale));
		}
		attr_str(g, "mode", mode);
		attr_str(g, "coordinate_transformation_mode", places[below(4)]);
		attr_str(g, "nearest_mode", rounding[below(4)]);
		attr_int(g, "exclude_outside", i % 3 == 2 && below(2));
		check_kernel(mode, "resize", g, y);
	}
}
END_TEST

START_TEST(places_outside_are_left_to_the_reference)
{
	static const float scale[4] = { 1, 1, 2, 2 };
	static const float roi[8] = { 0, 0, -0.5f, 0.2f, 1, 1, 1.5f, 0.9f };
	struct nx_graph *g = graph(SHAPE(1, 3, 5, 4));
	int y = NODE(g, "Resize", g->in[0], reals(g, 8, roi), reals(g, 4, scale));

	attr_str(g, "mode", "linear");
	attr_str(g, "coordinate_transformation_mode", "tf_crop_and_resize");
	struct nx_engine *e = open_cpu("cpu");
	output(g, y);
	check_rows(e, "cropped", "reference", g, 1);
	nx_graph_free(&g);
	nx_engine_close(&e);
}
END_TEST

START_TEST(parts_are_cut_out)
{
	nx_rng_init(&dice, 2);
	for (int i = 0; i < 120; i++) {
		int64_t dim[4] = { 1, 1 + below(18), 1 + below(9), 1 + below(20) };
		int64_t axes[3] = { 1, 2, -1 }, start[3], end[3], step[3];
		size_t n = (size_t)(1 + below(3)), first = (size_t)below((int)(4 - n));
		struct nx_graph *g = graph(4, dim);
		int x = source(g, dim[1], dim[1]);
		for (size_t k = 0; k < n; k++) {
			int64_t length = dim[axes[first + k] < 0 ? 3 : axes[first + k]];
			start[k] = below((int)length);
			end[k] = start[k] + 1 + below((int)length + 2);
			step[k] = 1 + below(3);
			start[k] -= below(2) ? length : 0;
		}
		int y = NODE(g, "Slice", x, indices(g, n, start), indices(g, n, end),
			indices(g, n, axes + first), indices(g, n, step));
		check_kernel("slice", "slice", g, y);
	}
}
END_TEST

/* Conv, Reshape to groups, Transpose, Reshape back. */
static int shuffle(struct nx_graph *g, int x, int64_t groups, int64_t channels, int64_t side,
	const int64_t *perm)
{
	const int64_t five[] = { 0, groups, channels, side, side };
	const int64_t four[] = { 0, groups * channels, side, side };
	int y = NODE(g, "Reshape", x, indices(g, 5, five));

	y = NODE(g, "Transpose", y);
	attr_ints(g, "perm", 5, perm);
	return NODE(g, "Reshape", y, indices(g, 4, four));
}

START_TEST(channels_are_shuffled)
{
	static const int64_t swap[] = { 0, 2, 1, 3, 4 }, turn[] = { 0, 2, 1, 4, 3 };

	nx_rng_init(&dice, 3);
	for (int i = 0; i < 20; i++) {
		int64_t groups = 2 + below(4), channels = 1 + below(40), side = 1 + below(7);
		int64_t all = groups * channels;
		struct nx_graph *g = graph(SHAPE(1, 16, side, side));
		int x = NODE(g, "Conv", g->in[0], weights(g, SHAPE(all, 16, 1, 1)));
		x = shuffle(g, x, groups, channels, side, i % 4 ? swap : turn);
		x = NODE(g, "Conv", x, weights(g, SHAPE(all, 1, 1, 1)));
		attr_int(g, "group", all);
		/* One channel a group, or one pixel, is row-major already. */
		check_kernel("shuffle", i % 4 && side > 1 && channels > 1 ? "shuffle" : NULL, g,
			NODE(g, "Relu", x));
	}
	/* What is in between is wanted too. */
	struct nx_graph *g = graph(SHAPE(1, 16, 4, 4));
	int x = NODE(g, "Conv", g->in[0], weights(g, SHAPE(32, 16, 1, 1)));
	int y = shuffle(g, x, 4, 8, 4, swap);
	int moved = NODE(g, "Relu", g->nodes[g->n_nodes - 2].out[0]);
	x = NODE(g, "Reshape", moved, indices(g, 4, (const int64_t[]){ 0, 32, 4, 4 }));
	check_kernel("both wanted", NULL, g, NODE(g, "Add", x, y));
}
END_TEST

/* From numbers near 0 to where sigmoid is 0 or 1, in each layout. */
START_TEST(swish_is_computed_behind_convolutions)
{
	nx_rng_init(&dice, 4);
	for (int i = 0; i < 8; i++) {
		double range = pow(10, i - 3);
		int64_t side = 1 + below(6);
		struct nx_graph *g = graph(SHAPE(1, 16, side, side));
		int x = NODE(g, "Conv", g->in[0],
			constant(g, -range, range, SHAPE(1 + below(20), 16, 1, 1)));
		check_kernel("swish", "swish", g, NODE(g, "Mul", x, NODE(g, "Sigmoid", x)));
	}
}
END_TEST

/* Parts that lie in different layouts. */
START_TEST(mixed_parts_are_joined)
{
	static const char *const algo[] = { "follow", "last", "blocked" };

	for (int i = 0; i < 27; i++) {
		struct nx_graph *g = graph(SHAPE(1, 16, 6, 5));
		struct nx_buf text = NX_BUF_INIT;
		int64_t width[2] = { 32, i % 2 ? 16 : 24 };
		int part[2];
		nx_buf_adds(&text, "cpu-tuning 1\n");
		for (int k = 0; k < 2; k++) {
			part[k] = NODE(g, "Conv", g->in[0], weights(g, SHAPE(width[k], 16, 1, 1)));
			for (int many = 0; many < 2; many++)
				nx_buf_addf(&text,
					"conv %c c16x6x5/w%lldx16x1x1/s1x1/d0x0/l0x0/"
					"r0x0/0 %s\n",
					many ? 'n' : '1', (long long)width[k],
					algo[(k ? i / 3 : i) % 3]);
		}
		int y = i >= 18 ? NODE(g, "Concat", part[0], g->in[0], part[1])
				: NODE(g, "Concat", part[1], part[0], part[1]);
		attr_int(g, "axis", 1);
		tuning = text.data;
		check_kernel("join", "join", g, y);
		tuning = "";
		nx_buf_release(&text);
	}
}
END_TEST

UNIT_MAIN("engine/glue", pictures_are_resized, places_outside_are_left_to_the_reference,
	parts_are_cut_out, channels_are_shuffled, swish_is_computed_behind_convolutions,
	mixed_parts_are_joined)
