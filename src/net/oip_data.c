/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for JSON data is allocated before it is read, as large as the shape says: so the shape
 * is first held against the length of the text.  Integers are taken from the text itself, as a
 * double holds only 53 bits of them.  All supported machines are little-endian, as the protocol.
 */
#include "net/oip_data.h"

#include "core/alloc.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool nx_oip_data_has_json(enum nx_dtype t)
{
	return t != NX_F16 && t != NX_BF16;
}

/* ---- one element ------------------------------------------------------------------------------- */

static const struct range {
	int64_t min;
	uint64_t max;
} ranges[] = {
	[NX_I8] = { INT8_MIN, INT8_MAX },
	[NX_U8] = { 0, UINT8_MAX },
	[NX_I16] = { INT16_MIN, INT16_MAX },
	[NX_U16] = { 0, UINT16_MAX },
	[NX_I32] = { INT32_MIN, INT32_MAX },
	[NX_U32] = { 0, UINT32_MAX },
	[NX_I64] = { INT64_MIN, INT64_MAX },
	[NX_U64] = { 0, UINT64_MAX },
};

/* A whole number of up to 64 bits as sign and magnitude, exact where a double is not; also
 * written as 1.0 or 1e3. */
static bool token_integer(const struct nx_jscan *s, bool *negative, uint64_t *magnitude)
{
	size_t i = s->start;
	uint64_t v = 0;

	*negative = s->text[i] == '-';
	for (i += *negative; i < s->end && s->text[i] >= '0' && s->text[i] <= '9'; i++)
		if (__builtin_mul_overflow(v, 10, &v) ||
			__builtin_add_overflow(v, (uint64_t)(s->text[i] - '0'), &v))
			return false;
	if (i < s->end) {
		double d = fabs(s->number);
		if (d > 9007199254740992.0 || d != floor(d))
			return false;
		v = (uint64_t)d;
	}
	*magnitude = v;
	return true;
}

/* Stores the integer in the low bytes of the element, little-endian. */
static bool store_integer(const struct nx_jscan *s, enum nx_dtype t, char *at)
{
	const struct range *r = &ranges[t];
	bool negative;
	uint64_t v;

	if (!token_integer(s, &negative, &v))
		return false;
	if (negative ? v > (uint64_t)0 - (uint64_t)r->min : v > r->max)
		return false;
	if (negative)
		v = (uint64_t)0 - v;
	memcpy(at, &v, nx_dtype_size(t));
	return true;
}

static bool store_number(const struct nx_jscan *s, enum nx_dtype t, char *at)
{
	if (t == NX_F32) {
		float f = (float)s->number;
		memcpy(at, &f, sizeof f);
		return isfinite(f);
	}
	if (t == NX_F64) {
		memcpy(at, &s->number, sizeof s->number);
		return true;
	}
	if (t == NX_BOOL) {
		*at = s->number != 0;
		return s->number == 0 || s->number == 1;
	}
	return store_integer(s, t, at);
}

/* 'null' is how NaN is written. */
static bool store_null(enum nx_dtype t, char *at)
{
	if (t == NX_F32) {
		const float f = NAN;
		memcpy(at, &f, sizeof f);
	} else if (t == NX_F64) {
		const double d = NAN;
		memcpy(at, &d, sizeof d);
	} else {
		return false;
	}
	return true;
}

static bool store_string(const struct nx_jscan *s, struct nx_buf *out)
{
	char *text = nx_jscan_string(s);

	if (!text)
		return false;
	uint32_t len = (uint32_t)strlen(text);
	nx_buf_add(out, &len, sizeof len);
	nx_buf_add(out, text, len);
	free(text);
	return true;
}

/* ---- arrays ------------------------------------------------------------------------------------- */

struct fill {
	struct nx_oip_tensor *t;
	size_t size;      /* of an element; 0 for strings */
	uint64_t want, n; /* elements */
	struct nx_buf strings;
	int depth;                 /* of open arrays */
	int64_t seen[NX_MAX_DIMS]; /* children of each */
};

static int bad_value(const struct nx_jscan *s, const struct fill *f, struct nx_err *err)
{
	size_t len = s->end - s->start;

	return nx_err_set(err, NX_EDATA, "data[%" PRIu64 "] (line %d): '%.*s' is no %s", f->n,
		s->line, len > 40 ? 40 : (int)len, s->text + s->start,
		nx_dtype_oip_name(f->t->dtype));
}

static int add_value(
	const struct nx_jscan *s, enum nx_jtoken token, struct fill *f, struct nx_err *err)
{
	char *at = f->size ? (char *)f->t->owned + f->n * f->size : NULL;
	bool ok = false;

	if (f->n == f->want)
		return nx_err_set(err, NX_EDATA,
			"data has more than the %" PRIu64 " elements of its shape", f->want);
	if (f->depth != 1 && f->depth != f->t->shape.rank)
		return nx_err_set(err, NX_EDATA, "data is not nested as its shape says");
	if (token == NX_JT_STRING && f->t->dtype == NX_STRING)
		ok = store_string(s, &f->strings);
	else if (token == NX_JT_NUMBER && at)
		ok = store_number(s, f->t->dtype, at);
	else if ((token == NX_JT_TRUE || token == NX_JT_FALSE) && f->t->dtype == NX_BOOL)
		ok = (*at = token == NX_JT_TRUE, true);
	else if (token == NX_JT_NULL && at)
		ok = store_null(f->t->dtype, at);
	if (!ok)
		return bad_value(s, f, err);
	f->seen[f->depth - 1]++;
	f->n++;
	return 0;
}

static int open_array(struct fill *f, struct nx_err *err)
{
	int limit = f->t->shape.rank > 1 ? f->t->shape.rank : 1;

	if (f->depth == limit)
		return nx_err_set(err, NX_EDATA, "data is nested deeper than its shape");
	if (f->depth)
		f->seen[f->depth - 1]++;
	f->seen[f->depth++] = 0;
	return 0;
}

/* An array has as many members as its dimension says; the outermost one may be flat. */
static int close_array(struct fill *f, struct nx_err *err)
{
	int d = --f->depth;
	bool flat = d == 0 && f->seen[0] == (int64_t)f->n;

	if (!flat && f->seen[d] != f->t->shape.dim[d])
		return nx_err_set(err, NX_EDATA, "data is not nested as its shape says");
	return 0;
}

static int fill(struct nx_jscan *s, struct fill *f, struct nx_err *err)
{
	int rc = 0;

	do {
		enum nx_jtoken token = nx_jscan_next(s);
		if (token == NX_JT_ERROR)
			rc = nx_err_set(err, NX_EDATA, "line %d: %s", s->line, s->error);
		else if (token == NX_JT_ARRAY)
			rc = open_array(f, err);
		else if (token == NX_JT_ARRAY_END)
			rc = close_array(f, err);
		else if (f->depth == 0 || token == NX_JT_OBJECT)
			rc = nx_err_set(err, NX_EDATA, "data must be an array");
		else
			rc = add_value(s, token, f, err);
	} while (rc == 0 && f->depth > 0);
	if (rc == 0 && f->n != f->want)
		rc = nx_err_set(err, NX_EDATA,
			"data has %" PRIu64 " elements, the shape wants %" PRIu64, f->n, f->want);
	return rc;
}

int nx_oip_data_scan(struct nx_jscan *s, struct nx_oip_tensor *t, struct nx_err *err)
{
	struct fill f = { .t = t, .size = nx_dtype_size(t->dtype) };
	int64_t count = nx_shape_count(&t->shape);

	if (!nx_oip_data_has_json(t->dtype))
		return nx_err_set(err, NX_EDATA, "%s has no JSON form: use binary_data_size",
			nx_dtype_oip_name(t->dtype));
	/* An element takes two characters at least: what is allocated is bounded by what came. */
	if (count < 0 || (uint64_t)count > s->len)
		return nx_err_set(err, NX_EDATA, "data is shorter than the shape says");
	f.want = (uint64_t)count;
	if (f.size) {
		t->owned = nx_try_alloc(f.want, f.size);
		if (!t->owned)
			return nx_err_set(err, NX_EOS, "no memory for the data");
	}
	int rc = fill(s, &f, err);
	if (!f.size) {
		t->bytes = f.strings.len;
		t->owned = nx_buf_take(&f.strings);
	} else {
		t->bytes = (size_t)f.want * f.size;
	}
	t->data = t->owned;
	return rc;
}

/* ---- raw bytes ----------------------------------------------------------------------------------- */

/* Elements of a BYTES tensor, or -1 when lengths and bytes do not fit together. */
static int64_t count_strings(const char *p, size_t len)
{
	int64_t n = 0;
	uint32_t one;

	for (; len; n++) {
		if (len < sizeof one)
			return -1;
		memcpy(&one, p, sizeof one);
		if (one > len - sizeof one)
			return -1;
		p += sizeof one + one;
		len -= sizeof one + one;
	}
	return n;
}

static int borrow_strings(
	struct nx_oip_tensor *t, const void *raw, size_t len, int64_t count, struct nx_err *err)
{
	if (count_strings(raw, len) == count) {
		t->data = raw;
		t->bytes = len;
		return 0;
	}
	if (count != 1)
		return nx_err_set(err, NX_EDATA,
			"its bytes are not %" PRId64 " elements with their lengths", count);
	uint32_t prefix = (uint32_t)len;
	char *copy = len > UINT32_MAX ? NULL : nx_try_alloc(len + sizeof prefix, 1);
	if (!copy)
		return nx_err_set(err, NX_EOS, "no memory for the data");
	memcpy(copy, &prefix, sizeof prefix);
	if (len)
		memcpy(copy + sizeof prefix, raw, len);
	t->data = t->owned = copy;
	t->bytes = len + sizeof prefix;
	return 0;
}

int nx_oip_data_borrow(struct nx_oip_tensor *t, const void *raw, size_t len, struct nx_err *err)
{
	int64_t count = nx_shape_count(&t->shape);
	size_t size = nx_dtype_size(t->dtype);
	char shape[128];

	if (count < 0)
		return nx_err_set(err, NX_EDATA, "shape %s is too large",
			nx_shape_format(&t->shape, shape, sizeof shape));
	if (t->dtype == NX_STRING)
		return borrow_strings(t, raw, len, count, err);
	if (len % size || len / size != (uint64_t)count)
		return nx_err_set(err, NX_EDATA, "%zu bytes, but %s of %s", len,
			nx_dtype_oip_name(t->dtype),
			nx_shape_format(&t->shape, shape, sizeof shape));
	t->data = raw;
	t->bytes = len;
	return 0;
}

/* ---- writing ------------------------------------------------------------------------------------- */

/* The shortest decimal that reads back equal as a float, by trying.  A decimal of up to six digits
 * survives the way through a normal float (FLT_DIG), so %.6g finds all of those; nine digits
 * always do. */
static void write_float(struct nx_jw *w, float v)
{
	char text[32];
	int digits = fabsf(v) < FLT_MIN ? 1 : FLT_DIG;

	do
		snprintf(text, sizeof text, "%.*g", digits, (double)v);
	while (strtof(text, NULL) != v && ++digits <= FLT_DECIMAL_DIG);
	nx_jw_raw(w, text, strlen(text));
}

static void write_floating(struct nx_jw *w, double v, bool single)
{
	if (!isfinite(v))
		nx_jw_null(w);
	else if (single)
		write_float(w, (float)v);
	else
		nx_jw_number(w, v);
}

static void write_u64(struct nx_jw *w, uint64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%" PRIu64, v);

	nx_jw_raw(w, text, (size_t)n);
}

static int64_t load_integer(const char *at, enum nx_dtype t)
{
	uint64_t v = 0;
	size_t size = nx_dtype_size(t);
	bool is_signed = t == NX_I8 || t == NX_I16 || t == NX_I32 || t == NX_I64;

	memcpy(&v, at, size);
	if (is_signed && size < 8 && v >> (size * 8 - 1))
		v |= UINT64_MAX << (size * 8);
	return (int64_t)v;
}

static void write_element(struct nx_jw *w, const char *at, enum nx_dtype t)
{
	float f;
	double d;

	if (t == NX_F32) {
		memcpy(&f, at, sizeof f);
		write_floating(w, (double)f, true);
	} else if (t == NX_F64) {
		memcpy(&d, at, sizeof d);
		write_floating(w, d, false);
	} else if (t == NX_BOOL) {
		nx_jw_bool(w, *at != 0);
	} else if (t == NX_U64) {
		write_u64(w, (uint64_t)load_integer(at, t));
	} else {
		nx_jw_int(w, load_integer(at, t));
	}
}

static void write_strings(struct nx_jw *w, const char *p, size_t len)
{
	uint32_t one;

	while (len >= sizeof one) {
		memcpy(&one, p, sizeof one);
		p += sizeof one;
		len -= sizeof one;
		if (one > len)
			return;
		char *text = nx_strndup(p, one);
		nx_jw_string(w, text);
		free(text);
		p += one;
		len -= one;
	}
}

void nx_oip_data_write(struct nx_jw *w, const struct nx_oip_tensor *t)
{
	size_t size = nx_dtype_size(t->dtype);

	nx_jw_array_inline(w);
	if (t->dtype == NX_STRING)
		write_strings(w, t->data, t->bytes);
	for (size_t i = 0; size && i < t->bytes / size; i++)
		write_element(w, (const char *)t->data + i * size, t->dtype);
	nx_jw_end(w);
}
