/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of elements.  A node takes the nodes behind it into its chain as long as each alone
 * reads the one before and everything else it needs is there; so what lies between is never
 * written, nor rounded.
 */
#include "plugins/cuda/lower.h"

#include "core/alloc.h"

#include <float.h>
#include <string.h>

struct cu_act cu_act_of_group(const struct nx_act *act)
{
	static const int op[] = {
		[NX_ACT_NONE] = CU_OP_NONE,
		[NX_ACT_RELU] = CU_OP_LEAKY,
		[NX_ACT_ELU] = CU_OP_ELU,
		[NX_ACT_SIGMOID] = CU_OP_SIGMOID,
		[NX_ACT_TANH] = CU_OP_TANH,
		[NX_ACT_HARDSWISH] = CU_OP_HARDSWISH,
		[NX_ACT_SWISH] = CU_OP_SWISH,
		[NX_ACT_SOFTPLUS] = CU_OP_SOFTPLUS,
		[NX_ACT_EXP] = CU_OP_EXP,
		[NX_ACT_ABS] = CU_OP_ABS,
		[NX_ACT_SQRT] = CU_OP_SQRT,
		[NX_ACT_CLIP] = CU_OP_CLIP,
	};

	return (struct cu_act){ op[act->kind], act->alpha, act->beta };
}

void cu_chain_init(struct cu_chain *c, int out, int first)
{
	memset(c, 0, sizeof *c);
	c->out = out;
	c->n_sources = 1;
	c->source[0] = (struct cu_source){ first, CU_NO_BUF };
}

bool cu_chain_add(struct cu_chain *c, struct cu_act f, int x, int y)
{
	int more = (x != NX_NO_VALUE) + (y != NX_NO_VALUE);

	if (f.op == CU_OP_NONE)
		return true;
	if (c->n_ops == CU_MAP_OPS || c->n_sources + more > CU_MAP_SOURCES)
		return false;
	c->op[c->n_ops].f = f;
	c->op[c->n_ops++].source = c->n_sources;
	if (x != NX_NO_VALUE)
		c->source[c->n_sources++] = (struct cu_source){ x, CU_NO_BUF };
	if (y != NX_NO_VALUE)
		c->source[c->n_sources++] = (struct cu_source){ y, CU_NO_BUF };
	return true;
}

/* ---- sources by strides ---------------------------------------------------------------------- */

/* Whether a source is small and fixed, or is held so that a map can read it. */
static bool fits_map(const struct cu_build *b, const struct cu_source *s, int rank)
{
	if (s->value == NX_NO_VALUE || cu_is_const(b, s->value))
		return s->value == NX_NO_VALUE || nx_value_is_f32(b->g, s->value);
	return cu_can_map(b, s->value) && cu_shape(b, s->value)->rank == rank;
}

static bool as_map(const struct cu_build *b, const struct cu_chain *c)
{
	int rank = cu_shape(b, c->out)->rank;
	bool any = false;

	if (!cu_can_map(b, c->out))
		return false;
	for (int k = 0; k < c->n_sources; k++) {
		const struct cu_source *s = &c->source[k];
		if (!fits_map(b, s, rank))
			return false;
		any = any || (s->value != NX_NO_VALUE && cu_is_map(b, s->value) &&
				     nx_shape_equal(cu_shape(b, s->value), cu_shape(b, c->out)));
	}
	return any;
}

/* A constant as a map of the target's rank, its channels padded. */
static int constant_map(struct cu_build *b, int value, int rank, struct nx_shape *wide)
{
	const struct nx_shape *s = cu_shape(b, value);
	struct cu_view from, to;
	struct cu_bounds bounds = { .mode = CU_PAD_FILL };
	int64_t stride, padded;

	cu_need(b, value, CU_PLAIN);
	from = cu_view_in(b, value, CU_PLAIN);
	*wide = (struct nx_shape){ .rank = rank };
	for (int d = 0; d < rank; d++) {
		int at = d - (rank - s->rank);
		wide->dim[d] = at < 0 ? 1 : s->dim[at];
		bounds.n[d] = wide->dim[d];
	}
	to = (struct cu_view){ .type = from.type, .rank = rank };
	for (int d = 0; d < rank; d++)
		to.stride[d] = d < rank - s->rank ? 0 : from.stride[d - (rank - s->rank)];
	from = (struct cu_view){ .buf = from.buf, .type = from.type, .rank = rank };
	memcpy(from.stride, to.stride, sizeof from.stride);
	memcpy(from.dim, wide->dim, sizeof from.dim);
	memcpy(to.dim, wide->dim, sizeof to.dim);
	padded = wide->dim[1] == 1 ? 1 : (wide->dim[1] + CU_VEC - 1) / CU_VEC * CU_VEC;
	stride = padded;
	for (int d = rank - 1; d >= 0; d--) {
		if (d == 1)
			continue;
		to.stride[d] = stride;
		stride *= wide->dim[d];
	}
	to.stride[1] = 1;
	to.dim[1] = padded;
	to.buf = cu_buf_new(b->p, CU_BUF_CONST, (size_t)stride * cu_type_size(to.type));
	cu_fold_copy(b, &from, &to, &bounds);
	return to.buf;
}

/* Strides of a source in the order n, h, w, c (n, w, c) of the target's memory. */
static void map_source(
	struct cu_build *b, const struct cu_chain *c, int k, int rank, struct cu_map *m, int *buf)
{
	const struct cu_source *s = &c->source[k];
	struct nx_shape shape;
	int64_t stride;

	m->type[1 + k] = b->p->type;
	if (s->value == NX_NO_VALUE) {
		m->type[1 + k] = CU_F32;
		m->stride[k][rank - 1] = 1;
		*buf = s->channel;
		return;
	}
	if (cu_is_const(b, s->value)) {
		*buf = constant_map(b, s->value, rank, &shape);
		stride = shape.dim[1] == 1 ? 1 : (shape.dim[1] + CU_VEC - 1) / CU_VEC * CU_VEC;
	} else {
		shape = *cu_shape(b, s->value);
		*buf = cu_need(b, s->value, CU_MAP);
		stride = cu_padded(b, s->value);
	}
	m->stride[k][rank - 1] = shape.dim[1] == 1 ? 0 : 1;
	for (int d = rank - 1; d >= 0; d--) {
		int at = d > 1 ? d - 1 : 0;
		if (d == 1)
			continue;
		m->stride[k][at] = shape.dim[d] == 1 ? 0 : stride;
		stride *= shape.dim[d];
	}
}

static void plain_source(
	struct cu_build *b, const struct cu_chain *c, int k, int rank, struct cu_map *m, int *buf)
{
	const struct cu_source *s = &c->source[k];

	if (s->value == NX_NO_VALUE) {
		m->type[1 + k] = CU_F32;
		m->stride[k][1] = 1;
		*buf = s->channel;
		return;
	}
	*buf = cu_need(b, s->value, CU_PLAIN);
	m->type[1 + k] = cu_held_as(b, s->value);
	struct cu_view v = cu_view_in(b, s->value, CU_PLAIN);
	for (int d = 0; d < v.rank; d++)
		m->stride[k][d + rank - v.rank] = v.dim[d] == 1 ? 0 : v.stride[d];
}

static void drop_dim(struct cu_map *m, int n, int d)
{
	for (int i = d; i + 1 < m->rank; i++) {
		m->dim[i] = m->dim[i + 1];
		for (int k = 0; k < n; k++)
			m->stride[k][i] = m->stride[k][i + 1];
	}
	m->rank--;
}

/* Joins dimensions, and takes as many elements a thread as all sources allow. */
static void shape_up(struct cu_map *m, int n, int64_t elements)
{
	bool wide;

	for (int d = m->rank - 1; d >= 0; d--)
		if (m->dim[d] == 1 && m->rank > 1)
			drop_dim(m, n, d);
	for (int d = m->rank - 2; d >= 0; d--) {
		bool joins = true;
		for (int k = 0; k < n; k++)
			joins = joins && m->stride[k][d] == m->stride[k][d + 1] * m->dim[d + 1];
		if (!joins)
			continue;
		m->dim[d + 1] *= m->dim[d];
		drop_dim(m, n, d);
	}
	int last = m->rank - 1;
	wide = m->dim[last] % CU_VEC == 0;
	for (int k = 0; k < n; k++) {
		wide = wide && m->stride[k][last] <= 1;
		/* A source that is spread is read one by one, wherever it is. */
		for (int d = 0; d < last && m->stride[k][last]; d++)
			wide = wide && m->stride[k][d] % CU_VEC == 0;
	}
	m->width = wide ? CU_VEC : 1;
	m->dim[last] /= m->width;
	m->count = elements / m->width;
}

void cu_emit_chain(struct cu_build *b, const struct nx_node *node, const struct cu_chain *c)
{
	const struct nx_shape *s = cu_shape(b, c->out);
	struct cu_map m = { .rank = s->rank ? s->rank : 1, .n_ops = c->n_ops };
	bool map = as_map(b, c);
	int buf[1 + CU_MAP_SOURCES];
	int64_t elements = 1;

	m.dim[0] = 1;
	for (int d = 0; d < s->rank; d++)
		m.dim[d] = s->dim[d];
	if (map) {
		for (int d = 1; d + 1 < s->rank; d++)
			m.dim[d] = s->dim[d + 1];
		m.dim[s->rank - 1] = cu_padded(b, c->out);
		m.channels = (int)s->dim[1];
		m.padded = (int)cu_padded(b, c->out);
	}
	for (int d = 0; d < m.rank; d++)
		elements *= m.dim[d];
	for (int k = 0; k < c->n_sources; k++)
		(map ? map_source : plain_source)(b, c, k, m.rank, &m, &buf[1 + k]);
	for (int i = 0; i < c->n_ops; i++) {
		m.op[i].f = c->op[i].f;
		m.op[i].source = c->op[i].source;
	}
	buf[0] = cu_make(b, c->out, map ? CU_MAP : CU_PLAIN);
	m.type[0] = cu_held_as(b, c->out);
	shape_up(&m, c->n_sources, elements);
	cu_step_new(b->p, CU_STEP_MAP, node, buf, 1 + c->n_sources)->u.map = m;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static struct cu_act unary_of(const struct cu_build *b, const struct nx_node *n)
{
	static const struct {
		const char *op;
		int f;
		const char *alpha, *beta;
		float a, b;
	} known[] = {
		{ "Abs", CU_OP_ABS, NULL, NULL, 0, 0 },
		{ "Ceil", CU_OP_CEIL, NULL, NULL, 0, 0 },
		{ "Celu", CU_OP_CELU, "alpha", NULL, 1, 0 },
		{ "Cos", CU_OP_COS, NULL, NULL, 0, 0 },
		{ "Elu", CU_OP_ELU, "alpha", NULL, 1, 0 },
		{ "Erf", CU_OP_ERF, NULL, NULL, 0, 0 },
		{ "Exp", CU_OP_EXP, NULL, NULL, 0, 0 },
		{ "Floor", CU_OP_FLOOR, NULL, NULL, 0, 0 },
		{ "Gelu", CU_OP_GELU, NULL, NULL, 0, 0 },
		{ "HardSigmoid", CU_OP_HARDSIGMOID, "alpha", "beta", 0.2f, 0.5f },
		{ "HardSwish", CU_OP_HARDSWISH, NULL, NULL, 0, 0 },
		{ "LeakyRelu", CU_OP_LEAKY, "alpha", NULL, 0.01f, 0 },
		{ "Log", CU_OP_LOG, NULL, NULL, 0, 0 },
		{ "Mish", CU_OP_MISH, NULL, NULL, 0, 0 },
		{ "Neg", CU_OP_AFFINE, NULL, NULL, -1, 0 },
		{ "Reciprocal", CU_OP_RECIPROCAL, NULL, NULL, 0, 0 },
		{ "Relu", CU_OP_LEAKY, NULL, NULL, 0, 0 },
		{ "Round", CU_OP_ROUND, NULL, NULL, 0, 0 },
		{ "Selu", CU_OP_SELU, "alpha", "gamma", 1.67326319217681884765625f,
			1.05070102214813232421875f },
		{ "Sigmoid", CU_OP_SIGMOID, NULL, NULL, 0, 0 },
		{ "Sign", CU_OP_SIGN, NULL, NULL, 0, 0 },
		{ "Sin", CU_OP_SIN, NULL, NULL, 0, 0 },
		{ "Softplus", CU_OP_SOFTPLUS, NULL, NULL, 0, 0 },
		{ "Softsign", CU_OP_SOFTSIGN, NULL, NULL, 0, 0 },
		{ "Sqrt", CU_OP_SQRT, NULL, NULL, 0, 0 },
		{ "Tanh", CU_OP_TANH, NULL, NULL, 0, 0 },
		{ "ThresholdedRelu", CU_OP_THRESHOLDED, "alpha", NULL, 1, 0 },
	};
	struct cu_act f = { CU_OP_NONE, 0, 0 };

	(void)b;
	for (size_t i = 0; i < NX_ARRAY_LEN(known); i++) {
		if (!nx_node_is(n, known[i].op))
			continue;
		f.op = known[i].f;
		f.alpha = known[i].a;
		f.beta = known[i].b;
		if (known[i].alpha)
			f.alpha = nx_node_float(n, known[i].alpha, f.alpha);
		if (known[i].beta)
			f.beta = nx_node_float(n, known[i].beta, f.beta);
	}
	return f;
}

/* Clip before opset 11 has its bounds as attributes, later as inputs that may be left out. */
static bool add_clip(const struct cu_build *b, struct cu_chain *c, const struct nx_node *n)
{
	struct cu_act f = { CU_OP_CLIP, nx_node_float(n, "min", -FLT_MAX),
		nx_node_float(n, "max", FLT_MAX) };

	if (n->n_in > 1 && n->in[1] != NX_NO_VALUE && !cu_scalar(b, n->in[1], &f.alpha))
		return false;
	if (n->n_in > 2 && n->in[2] != NX_NO_VALUE && !cu_scalar(b, n->in[2], &f.beta))
		return false;
	return cu_chain_add(c, f, NX_NO_VALUE, NX_NO_VALUE);
}

/* Functions of two numbers, and how they are called when the chain is the second of them. */
static bool binary_of(const struct nx_node *n, int *f, int *swapped)
{
	static const struct {
		const char *op;
		int f, swapped;
	} known[] = {
		{ "Add", CU_OP_ADD, CU_OP_ADD },
		{ "And", CU_OP_AND, CU_OP_AND },
		{ "Div", CU_OP_DIV, CU_OP_RDIV },
		{ "Equal", CU_OP_EQUAL, CU_OP_EQUAL },
		{ "Greater", CU_OP_GREATER, CU_OP_LESS },
		{ "GreaterOrEqual", CU_OP_GREATER_EQUAL, CU_OP_LESS_EQUAL },
		{ "Less", CU_OP_LESS, CU_OP_GREATER },
		{ "LessOrEqual", CU_OP_LESS_EQUAL, CU_OP_GREATER_EQUAL },
		{ "Max", CU_OP_MAX, CU_OP_MAX },
		{ "Mean", CU_OP_ADD, CU_OP_ADD },
		{ "Min", CU_OP_MIN, CU_OP_MIN },
		{ "Mod", CU_OP_FMOD, CU_OP_NONE },
		{ "Mul", CU_OP_MUL, CU_OP_MUL },
		{ "Or", CU_OP_OR, CU_OP_OR },
		{ "PRelu", CU_OP_PRELU, CU_OP_NONE },
		{ "Pow", CU_OP_POW, CU_OP_RPOW },
		{ "Sub", CU_OP_SUB, CU_OP_RSUB },
		{ "Sum", CU_OP_ADD, CU_OP_ADD },
		{ "Xor", CU_OP_XOR, CU_OP_XOR },
	};

	for (size_t i = 0; i < NX_ARRAY_LEN(known); i++) {
		if (!nx_node_is(n, known[i].op))
			continue;
		*f = known[i].f;
		*swapped = known[i].swapped;
		return true;
	}
	return false;
}

static bool is_logical(const struct cu_build *b, int value)
{
	return b->g->values[value].dtype == NX_BOOL;
}

static bool add_binary(const struct cu_build *b, struct cu_chain *c, const struct nx_node *n,
	int value, int f, int swapped)
{
	bool first = n->in[0] == value;

	for (size_t k = 0; k < n->n_in; k++)
		if (!nx_value_is_f32(b->g, n->in[k]) && !is_logical(b, n->in[k]))
			return false;
	/* Only the first of equal operands is the chain itself. */
	for (size_t k = 0, taken = 0; k < n->n_in; k++) {
		if (n->in[k] == value && !taken) {
			taken = 1;
			continue;
		}
		if (n->in[k] == value && n->n_in > 2)
			return false;
		int op = first ? f : swapped;
		if (op == CU_OP_NONE ||
			!cu_chain_add(c, (struct cu_act){ op, 0, 0 }, n->in[k], NX_NO_VALUE))
			return false;
	}
	if (nx_node_is(n, "Mean"))
		return cu_chain_add(c, (struct cu_act){ CU_OP_AFFINE, 1.0f / (float)n->n_in, 0 },
			NX_NO_VALUE, NX_NO_VALUE);
	return true;
}

/* Numbers that a float holds, whatever they are. */
static bool is_castable(enum nx_dtype t)
{
	return t == NX_F32 || t == NX_F16 || t == NX_BF16 || t == NX_U8 || t == NX_I8 ||
	       t == NX_BOOL || t == NX_I32 || t == NX_I64;
}

static bool add_cast(const struct cu_build *b, struct cu_chain *c, const struct nx_node *n)
{
	const struct nx_value *to = &b->g->values[n->out[0]], *from = &b->g->values[n->in[0]];

	(void)c;
	/* Whole numbers that go through a float would lose their last digits. */
	bool whole = from->dtype != NX_F32 && from->dtype != NX_F16 && from->dtype != NX_BF16 &&
		     from->dtype != NX_BOOL;
	bool exact = nx_dtype_size(from->dtype) == 1 || to->dtype == NX_F32 ||
		     to->dtype == NX_F16 || to->dtype == NX_BOOL;
	return is_castable(to->dtype) && is_castable(from->dtype) && (!whole || exact);
}

/* Adds what a node does with 'value' to a chain; false if it is no function of elements, or does
 * not fit. */
static bool add_node(
	const struct cu_build *b, struct cu_chain *c, const struct nx_node *n, int value)
{
	const struct cu_act not = { CU_OP_NOT, 0, 0 };
	int f, swapped;

	if (n->n_out != 1)
		return false;
	if (nx_node_is(n, "Cast"))
		return add_cast(b, c, n);
	if (nx_node_is(n, "Not"))
		return cu_chain_add(c, not, NX_NO_VALUE, NX_NO_VALUE);
	if (nx_node_is(n, "Where"))
		return n->in[0] == value && is_logical(b, value) &&
		       nx_value_is_f32(b->g, n->in[1]) && n->in[1] != value &&
		       cu_chain_add(c, (struct cu_act){ CU_OP_WHERE, 0, 0 }, n->in[1], n->in[2]);
	if (binary_of(n, &f, &swapped))
		return add_binary(b, c, n, value, f, swapped);
	if (!nx_value_is_f32(b->g, value) || n->in[0] != value)
		return false;
	if (nx_node_is(n, "Clip"))
		return add_clip(b, c, n);
	struct cu_act u = unary_of(b, n);
	return u.op != CU_OP_NONE && cu_chain_add(c, u, NX_NO_VALUE, NX_NO_VALUE);
}

/* The node behind a chain that may join it, or -1. */
static int next_of(const struct cu_build *b, const struct cu_chain *c)
{
	const struct cu_val *v = &b->val[c->out];

	if (v->readers != 1 || b->fusion.group_of[v->reader] >= 0 || b->done[v->reader])
		return -1;
	const struct nx_node *n = &b->g->nodes[v->reader];
	/* Numbers in a chain are floats: one that was cut to a whole number ends it. */
	if ((!nx_value_is_f32(b->g, c->out) && !is_logical(b, c->out)) || n->n_out != 1 ||
		!nx_shape_equal(cu_shape(b, n->out[0]), cu_shape(b, c->out)))
		return -1;
	for (size_t k = 0; k < n->n_in; k++)
		if (n->in[k] == NX_NO_VALUE || (n->in[k] != c->out && !cu_is_made(b, n->in[k])))
			return nx_node_is(n, "Clip") ? v->reader : -1;
	return v->reader;
}

int cu_emit_map(struct cu_build *b, const struct nx_node *n)
{
	struct cu_chain c;
	int next;

	if (n->n_in < 1 || n->n_out < 1 || n->out[0] == NX_NO_VALUE)
		return CU_NOT_MINE;
	/* A constant in front is better an operand. */
	int first = cu_is_const(b, n->in[0]) && n->n_in == 2 && !nx_node_is(n, "PRelu") &&
				    !nx_node_is(n, "Mod")
			    ? n->in[1]
			    : n->in[0];
	cu_chain_init(&c, n->out[0], first);
	if (!add_node(b, &c, n, first))
		return CU_NOT_MINE;
	while ((next = next_of(b, &c)) >= 0) {
		struct cu_chain longer = c;
		longer.out = b->g->nodes[next].out[0];
		if (!add_node(b, &longer, &b->g->nodes[next], c.out))
			break;
		b->done[next] = true;
		c = longer;
	}
	cu_emit_chain(b, n, &c);
	return 0;
}
