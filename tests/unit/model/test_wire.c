/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of ONNX files: weights are found where they are, and nothing is where it is not. */
#include "model/model.h"

#include "tiny.h"
#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

/* Bytes of a message that is written field by field. */
struct wire {
	uint8_t b[400];
	size_t n;
};

static void raw_bytes(struct wire *w, const void *data, size_t n)
{
	memcpy(w->b + w->n, data, n);
	w->n += n;
}

static void varint(struct wire *w, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		w->b[w->n++] = (uint8_t)(v | 0x80);
	w->b[w->n++] = (uint8_t)v;
}

static void number(struct wire *w, unsigned field, uint64_t v)
{
	varint(w, field << 3);
	varint(w, v);
}

static void bytes(struct wire *w, unsigned field, const void *data, size_t n)
{
	varint(w, field << 3 | 2);
	varint(w, n);
	raw_bytes(w, data, n);
}

enum { DIMS = 1, TYPE = 2, FLOATS = 4, NAME = 8, RAW = 9, EXTERNAL = 13, LOCATION = 14 };

/* The start of a tensor "w" of n floats. */
static struct wire tensor(uint64_t n)
{
	struct wire w = { .n = 0 };

	number(&w, DIMS, n);
	number(&w, TYPE, 1);
	bytes(&w, NAME, "w", 1);
	return w;
}

/* Loads x -> Add(x, w) -> y with 'tensor' as the initializer, in a second graph field, which is
 * merged with the first.  The model must be freed. */
static int load(const struct wire *initializer, struct nx_model **m, struct nx_err *err)
{
	struct wire graph = { .n = 0 }, model = { .n = 0 };
	struct tiny t;
	size_t len;

	tiny_init(&t);
	tiny_io(&t, 0, "x", 2, (const int64_t[]){ 1, 2 });
	tiny_io(&t, 1, "y", 2, (const int64_t[]){ 1, 2 });
	tiny_node(&t, "Add", "y", "x", "w", NULL);
	uint8_t *data = tiny_pack(&t, &len);
	bytes(&graph, 5, initializer->b, initializer->n);
	raw_bytes(&model, data, len);
	bytes(&model, 7, graph.b, graph.n);
	/* A block of its own, so that a read behind the end is seen. */
	uint8_t *exact = nx_alloc(model.n, 1);
	memcpy(exact, model.b, model.n);
	int rc = nx_model_load_bytes(exact, model.n, "wire.onnx", m, err);
	free(exact);
	free(data);
	return rc;
}

static void check_loads(const char *what, const struct wire *w, float a, float b)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *m;

	ck_assert_msg(load(w, &m, &err) == 0, "%s: %s", what, err.msg);
	const struct nx_tensor *t = m->graph->values[m->graph->nodes[0].in[1]].constant;
	const float *v = t->data;
	ck_assert_msg(v[0] == a && v[1] == b, "%s: %g, %g", what, (double)v[0], (double)v[1]);
	nx_model_free(&m);
}

static void check_refused(const char *what, const struct wire *w, int code, const char *text)
{
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *m;

	ck_assert_msg(load(w, &m, &err) == -code, "%s: %d %s", what, err.code, err.msg);
	ck_assert_msg(strstr(err.msg, text) != NULL, "%s: %s", what, err.msg);
	ck_assert_ptr_null(m);
}

static const float one_two[2] = { 1, 2 }, three_four[2] = { 3, 4 };

START_TEST(forms_of_a_tensor)
{
	struct wire w = tensor(2);

	bytes(&w, RAW, one_two, sizeof one_two);
	check_loads("raw data", &w, 1, 2);
	bytes(&w, RAW, three_four, sizeof three_four);
	check_loads("raw data twice: the last counts", &w, 3, 4);

	w = tensor(2);
	bytes(&w, FLOATS, one_two, sizeof one_two);
	check_loads("packed numbers", &w, 1, 2);

	w = tensor(2);
	for (int i = 0; i < 2; i++) {
		varint(&w, FLOATS << 3 | 5);
		raw_bytes(&w, &three_four[i], 4);
	}
	check_loads("one number a field", &w, 3, 4);

	w = (struct wire){ .n = 0 };
	bytes(&w, RAW, one_two, sizeof one_two);
	struct wire rest = tensor(2);
	raw_bytes(&w, rest.b, rest.n);
	check_loads("raw data first", &w, 1, 2);

	/* Tags and lengths in more bytes than they need. */
	w = tensor(2);
	raw_bytes(&w, "\xca\x80\x00\x88\x80\x80\x80\x80\x80\x00", 10);
	raw_bytes(&w, one_two, sizeof one_two);
	check_loads("long tag and length", &w, 1, 2);
	number(&w, 1000, 7);
	check_loads("an unknown field", &w, 1, 2);
}
END_TEST

/* What looks like a place and a length in the file is data like any other. */
START_TEST(data_is_never_a_reference)
{
	const uint64_t like[2] = { 0, (uint64_t)1 << 62 };
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *m;
	struct wire w = { .n = 0 };

	number(&w, DIMS, 2);
	number(&w, DIMS, 2);
	number(&w, TYPE, 1);
	bytes(&w, NAME, "w", 1);
	bytes(&w, RAW, like, sizeof like);
	ck_assert_msg(load(&w, &m, &err) == 0, "%s", err.msg);
	const struct nx_tensor *t = m->graph->values[m->graph->nodes[0].in[1]].constant;
	ck_assert_uint_eq(t->bytes, sizeof like);
	ck_assert(memcmp(t->data, like, sizeof like) == 0);
	nx_model_free(&m);
}
END_TEST

START_TEST(wrong_lengths_are_refused)
{
	struct wire w = tensor(2);

	varint(&w, RAW << 3 | 2);
	varint(&w, 9);
	raw_bytes(&w, one_two, sizeof one_two);
	check_refused("a byte more than there is", &w, NX_EDATA, "cut off");

	w = tensor(2);
	varint(&w, RAW << 3 | 2);
	varint(&w, UINT64_MAX - 7);
	raw_bytes(&w, one_two, sizeof one_two);
	check_refused("64-bit length", &w, NX_EDATA, "cut off");

	w = tensor(2);
	varint(&w, ((uint64_t)1 << 35) | RAW << 3 | 2);
	varint(&w, sizeof one_two);
	raw_bytes(&w, one_two, sizeof one_two);
	check_refused("a tag of more than 32 bits", &w, NX_EDATA, "cut off");

	w = tensor(2);
	number(&w, 0, 1);
	check_refused("field 0", &w, NX_EDATA, "cut off");

	w = tensor(2);
	varint(&w, RAW << 3 | 5);
	raw_bytes(&w, one_two, 4);
	check_refused("raw data that is no bytes", &w, NX_EDATA, "damaged");

	w = tensor(2);
	bytes(&w, RAW, one_two, 7);
	check_refused("half an element", &w, NX_EDATA, "no whole elements");

	w = tensor(3);
	bytes(&w, RAW, one_two, sizeof one_two);
	check_refused("too few", &w, NX_EDATA, "dims ask for 3 elements, the data has 2");

	w = tensor(2);
	number(&w, DIMS, (uint64_t)1 << 62);
	number(&w, DIMS, 8);
	bytes(&w, RAW, one_two, sizeof one_two);
	check_refused("dims that overflow", &w, NX_EDATA, "dimension");
}
END_TEST

START_TEST(other_files_are_not_opened)
{
	static const uint8_t entry[] = "\x0a\x08location\x12\x0b/etc/passwd";
	struct wire w = tensor(2);

	bytes(&w, EXTERNAL, entry, sizeof entry - 1);
	check_refused("external data", &w, NX_EUNSUPP, "another file");
	w = tensor(2);
	bytes(&w, RAW, one_two, sizeof one_two);
	number(&w, LOCATION, 1);
	check_refused("external location", &w, NX_EUNSUPP, "another file");
}
END_TEST

static void write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
}

/* Large files are read piece by piece: the same model, the same digest, the same refusals. */
START_TEST(large_files_are_read_as_small_ones)
{
	enum { N = 300000 };
	char path[] = "/tmp/nexus-test-XXXXXX";
	float *v = nx_alloc(N, sizeof *v);
	struct nx_err err = NX_ERR_INIT;
	struct nx_model *a, *b;
	struct tiny t;
	size_t len;

	for (int i = 0; i < N; i++)
		v[i] = (float)i;
	tiny_init(&t);
	tiny_io(&t, 0, "x", 2, (const int64_t[]){ 1, N });
	tiny_io(&t, 1, "y", 2, (const int64_t[]){ 1, N });
	tiny_tensor(&t, "w", 1, 1, (const int64_t[]){ N }, v, N * sizeof *v);
	tiny_tensor(&t, "b", 1, 1, (const int64_t[]){ 1 }, v + 7, sizeof *v);
	tiny_node(&t, "Mul", "a", "x", "w", NULL);
	tiny_node(&t, "Add", "y", "a", "b", NULL);
	uint8_t *data = tiny_pack(&t, &len);
	close(mkstemp(path));
	write_file(path, data, len);
	ck_assert_msg(nx_model_load(path, &a, &err) == 0, "%s", err.msg);
	ck_assert_msg(nx_model_load_bytes(data, len, path, &b, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(a->digest, b->digest);
	const struct nx_tensor *w = a->graph->values[a->graph->nodes[0].in[1]].constant;
	ck_assert_uint_eq(w->bytes, N * sizeof *v);
	ck_assert(memcmp(w->data, v, w->bytes) == 0);
	w = a->graph->values[a->graph->nodes[1].in[1]].constant;
	ck_assert(((const float *)w->data)[0] == 7);
	nx_model_free(&a);
	nx_model_free(&b);
	for (size_t cut = len - 1; cut > (1 << 20); cut -= cut > len - 300 ? 7 : 50000) {
		struct nx_err other = NX_ERR_INIT;
		write_file(path, data, cut);
		int rc = nx_model_load_bytes(data, cut, path, &b, &other);
		ck_assert_int_eq(nx_model_load(path, &a, &err), rc);
		ck_assert_int_ne(rc, 0);
		ck_assert_str_eq(err.msg, other.msg);
	}
	unlink(path);
	free(data);
	free(v);
}
END_TEST

UNIT_MAIN("model/wire", forms_of_a_tensor, data_is_never_a_reference, wrong_lengths_are_refused,
	other_files_are_not_opened, large_files_are_read_as_small_ones)
