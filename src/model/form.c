/* SPDX-License-Identifier: Apache-2.0 */
#include "model/form_rules.h"

#include "core/alloc.h"
#include "core/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void seen_init(
	struct nx_form_node *s, const struct nx_graph *g, const struct nx_node *n, size_t k)
{
	s->g = g;
	s->k = k;
	s->store = nx_alloc(n->n_in + n->n_out, sizeof *s->store);
	s->in = nx_alloc(n->n_in, sizeof *s->in);
	s->out = nx_alloc(n->n_out, sizeof *s->out);
	for (size_t i = 0; i < n->n_in; i++) {
		if (n->in[i] == NX_NO_VALUE)
			continue;
		const struct nx_value *v = &g->values[n->in[i]];
		s->store[i] = (struct nx_tensor){ .dtype = v->dtype, .shape = v->shape };
		s->in[i] = v->constant ? v->constant : &s->store[i];
	}
	s->c = (struct nx_op_call){ nx_op_find(n->domain, n->op), n, g->opset, n->n_in, n->n_out,
		s->in, s->out };
}

static void seen_release(struct nx_form_node *s)
{
	free(s->store);
	free(s->in);
	free(s->out);
}

static const struct nx_shape *x_shape(const struct nx_form_node *s)
{
	return &s->in[0]->shape;
}

/* ---- the table ------------------------------------------------------------------------------ */

#define COMMUTES   1u /* whatever the number of inputs */
#define COMMUTES_2 2u /* of two inputs: the sum of three depends on their order in the last bit */
#define BROADCASTS 4u

struct param {
	const char *name;
	char kind; /* i int, f float, a axis; 0 ends the list */
	double dflt;
};

struct rule {
	const char *op, *as; /* told under the name 'as', NULL: its own */
	unsigned flags;
	int (*tell)(const struct nx_form_node *s, struct nx_form *f);
	const char *silent; /* attributes that 'tell' tells or that change nothing, " a b " */
	struct param param[4];
};

#define PLAIN(op)                                                          \
	{                                                                  \
		op, NULL, BROADCASTS, NULL, " consumed_inputs broadcast ", \
		{                                                          \
			{                                                  \
				0                                          \
			}                                                  \
		}                                                          \
	}
#define EITHER(op)                                                                    \
	{                                                                             \
		op, NULL, BROADCASTS | COMMUTES, NULL, " consumed_inputs broadcast ", \
		{                                                                     \
			{                                                             \
				0                                                     \
			}                                                             \
		}                                                                     \
	}
#define REDUCE(op)                                                                   \
	{                                                                            \
		op, NULL, 0, nx_form_reduce, " axes keepdims noop_with_empty_axes ", \
		{                                                                    \
			{                                                            \
				0                                                    \
			}                                                            \
		}                                                                    \
	}
#define WINDOW                                                                         \
	" kernel_shape strides dilations pads auto_pad group ceil_mode storage_order " \
	"count_include_pad output_padding "

/* clang-format off */
static const struct rule rules[] = {
	PLAIN("Abs"), PLAIN("Acos"), PLAIN("Acosh"), EITHER("Add"), EITHER("And"),
	{ "ArgMax", NULL, 0, NULL, " keepdims ", { { "axis", 'a', 0 }, { "select_last_index", 'i', 0 } } },
	{ "ArgMin", NULL, 0, NULL, " keepdims ", { { "axis", 'a', 0 }, { "select_last_index", 'i', 0 } } },
	PLAIN("Asin"), PLAIN("Asinh"), PLAIN("Atan"), PLAIN("Atanh"),
	{ "AveragePool", NULL, 0, nx_form_pool, WINDOW, { { 0 } } },
	{ "BatchNormalization", NULL, 0, NULL,
		" momentum spatial is_test training_mode consumed_inputs ", { { "epsilon", 'f', 1e-5 } } },
	{ "Cast", NULL, 0, NULL, " to ", { { 0 } } },
	PLAIN("Ceil"),
	{ "Celu", NULL, 0, NULL, "", { { "alpha", 'f', 1 } } },
	{ "Clip", NULL, 0, nx_form_clip, " min max consumed_inputs ", { { 0 } } },
	{ "Concat", NULL, 0, NULL, "", { { "axis", 'a', 1 } } },
	{ "Conv", NULL, 0, nx_form_conv, WINDOW, { { 0 } } },
	{ "ConvTranspose", NULL, 0, nx_form_conv_transpose, WINDOW, { { 0 } } },
	PLAIN("Cos"), PLAIN("Cosh"),
	{ "DequantizeLinear", NULL, 0, nx_form_quantized, " axis ", { { 0 } } },
	PLAIN("Div"),
	{ "Elu", NULL, 0, NULL, " consumed_inputs ", { { "alpha", 'f', 1 } } },
	EITHER("Equal"), PLAIN("Erf"), PLAIN("Exp"), PLAIN("Floor"),
	{ "Gather", NULL, 0, NULL, "", { { "axis", 'a', 0 } } },
	{ "Gemm", NULL, 0, NULL, " broadcast ", { { "alpha", 'f', 1 }, { "beta", 'f', 1 },
		{ "transA", 'i', 0 }, { "transB", 'i', 0 } } },
	PLAIN("GlobalAveragePool"), PLAIN("GlobalMaxPool"),
	PLAIN("Greater"), PLAIN("GreaterOrEqual"),
	{ "HardSigmoid", NULL, 0, NULL, " consumed_inputs ", { { "alpha", 'f', 0.2f }, { "beta", 'f', 0.5 } } },
	PLAIN("HardSwish"),
	{ "InstanceNormalization", NULL, 0, NULL, " consumed_inputs ", { { "epsilon", 'f', 1e-5f } } },
	{ "LRN", NULL, 0, NULL, "", { { "size", 'i', 0 }, { "alpha", 'f', 1e-4f }, { "beta", 'f', 0.75 },
		{ "bias", 'f', 1 } } },
	{ "LayerNormalization", NULL, 0, NULL, " stash_type ", { { "axis", 'a', -1 }, { "epsilon", 'f', 1e-5f } } },
	{ "LeakyRelu", NULL, 0, NULL, " consumed_inputs ", { { "alpha", 'f', 0.01f } } },
	PLAIN("Less"), PLAIN("LessOrEqual"), PLAIN("Log"),
	{ "LogSoftmax", NULL, 0, nx_form_softmax, " axis ", { { 0 } } },
	PLAIN("MatMul"), EITHER("Max"),
	{ "MaxPool", NULL, 0, nx_form_pool, WINDOW, { { 0 } } },
	{ "Mean", NULL, BROADCASTS | COMMUTES_2, NULL, " consumed_inputs ", { { 0 } } },
	EITHER("Min"), PLAIN("Mish"),
	{ "Mod", NULL, BROADCASTS, NULL, "", { { "fmod", 'i', 0 } } },
	EITHER("Mul"), PLAIN("Neg"), PLAIN("Not"), EITHER("Or"),
	PLAIN("PRelu"),
	{ "Pad", NULL, 0, nx_form_pad, " pads paddings value mode ", { { 0 } } },
	PLAIN("Pow"),
	{ "QLinearConv", NULL, 0, nx_form_conv, WINDOW, { { 0 } } },
	{ "QuantizeLinear", NULL, 0, nx_form_quantized, " axis ", { { 0 } } },
	PLAIN("Reciprocal"),
	REDUCE("ReduceL1"), REDUCE("ReduceL2"), REDUCE("ReduceLogSum"), REDUCE("ReduceLogSumExp"),
	REDUCE("ReduceMax"), REDUCE("ReduceMean"),
	REDUCE("ReduceMin"), REDUCE("ReduceProd"), REDUCE("ReduceSum"), REDUCE("ReduceSumSquare"),
	{ "Relu", NULL, BROADCASTS, nx_form_relu, " consumed_inputs ", { { 0 } } },
	{ "Resize", NULL, 0, nx_form_resize, " mode coordinate_transformation_mode nearest_mode "
		"cubic_coeff_a exclude_outside extrapolation_value scales ", { { 0 } } },
	PLAIN("Round"),
	{ "Selu", NULL, 0, NULL, " consumed_inputs ", { { "alpha", 'f', 1.67326319217681884765625 },
		{ "gamma", 'f', 1.05070102214813232421875 } } },
	PLAIN("Sigmoid"), PLAIN("Sign"), PLAIN("Sin"), PLAIN("Sinh"),
	{ "Softmax", NULL, 0, nx_form_softmax, " axis ", { { 0 } } },
	PLAIN("Softplus"), PLAIN("Softsign"), PLAIN("Sqrt"), PLAIN("Sub"),
	{ "Sum", "Add", BROADCASTS | COMMUTES_2, NULL, " consumed_inputs ", { { 0 } } },
	PLAIN("Tan"), PLAIN("Tanh"),
	{ "ThresholdedRelu", NULL, 0, NULL, "", { { "alpha", 'f', 1 } } },
	{ "TopK", NULL, 0, nx_form_topk, " k ", { { "axis", 'a', -1 }, { "largest", 'i', 1 }, { "sorted", 'i', 1 } } },
	{ "Upsample", "Resize", 0, nx_form_resize, " mode scales ", { { 0 } } },
	PLAIN("Where"), EITHER("Xor"),
};
/* clang-format on */

static const struct rule *find_rule(const struct nx_node *n)
{
	for (size_t i = 0; i < NX_ARRAY_LEN(rules) && !*n->domain; i++) {
		if (strcmp(rules[i].op, n->op) == 0)
			return &rules[i];
	}
	return NULL;
}

static void put_param(const struct nx_form_node *s, const struct param *p, struct nx_form *f)
{
	const struct nx_node *n = s->c.node;

	if (p->kind == 'f')
		nx_form_real(f, p->name, (double)nx_node_float(n, p->name, (float)p->dflt));
	else if (p->kind == 'i')
		nx_form_int(f, p->name, nx_node_int(n, p->name, (int64_t)p->dflt));
	else
		nx_form_int(f, p->name,
			nx_form_axis(nx_node_int(n, p->name, (int64_t)p->dflt), x_shape(s)->rank));
}

static bool is_told(const struct rule *r, const char *attr)
{
	char word[80];

	for (size_t i = 0; i < NX_ARRAY_LEN(r->param) && r->param[i].kind; i++) {
		if (strcmp(r->param[i].name, attr) == 0)
			return true;
	}
	return (size_t)snprintf(word, sizeof word, " %s ", attr) < sizeof word &&
	       strstr(r->silent, word) != NULL;
}

/* By the operator's rule; -1 if it cannot be. */
static int tell_by_rule(const struct nx_form_node *s, struct nx_form *f)
{
	const struct nx_node *n = s->c.node;
	const struct rule *r = find_rule(n);

	if (!r || n->n_in == 0 || !s->in[0])
		return -1;
	nx_buf_addf(&f->text, "%s;", r->as ? r->as : n->op);
	for (size_t i = 0; i < NX_ARRAY_LEN(r->param) && r->param[i].kind; i++)
		put_param(s, &r->param[i], f);
	if (r->tell && r->tell(s, f))
		return -1;
	for (size_t i = 0; i < n->n_attrs; i++) {
		if (!is_told(r, n->attrs[i].name))
			nx_form_attr(f, &n->attrs[i]);
	}
	f->commutes = r->flags & COMMUTES || (r->flags & COMMUTES_2 && n->n_in == 2);
	f->broadcasts = r->flags & BROADCASTS;
	return 0;
}

/* ---- nodes that only move elements: told by where each comes from ---------------------------- */

static bool only_moves(const struct nx_form_node *s)
{
	static const char *const ops[] = { "DepthToSpace", "Expand", "Gather", "Slice",
		"SpaceToDepth", "Split", "Tile", "Transpose" };
	bool found = false;

	for (size_t i = 0; i < NX_ARRAY_LEN(ops); i++)
		found = found || strcmp(s->c.node->op, ops[i]) == 0;
	for (size_t i = 1; i < s->c.n_in; i++)
		found = found && (!s->in[i] || s->in[i]->data);
	return found && !*s->c.node->domain && s->c.n_in > 0 && s->in[0];
}

/* Runs of neighbours, in one digest; one run of all of them is the input itself. */
static void put_runs(struct nx_form *f, const int32_t *from, int64_t n, int64_t n_in)
{
	struct nx_digest *d = nx_digest_new();
	char text[NX_DIGEST_SIZE];
	int64_t runs = 0;

	for (int64_t i = 0, first = 0; i < n; i++) {
		if (i + 1 < n && from[i + 1] == from[i] + 1)
			continue;
		const int32_t run[2] = { from[first], (int32_t)(i + 1 - first) };
		nx_digest_add(d, run, sizeof run);
		first = i + 1;
		runs++;
	}
	nx_digest_finish(&d, text);
	nx_buf_addf(&f->text, "move;%s;", text);
	if (runs == 1 && n == n_in && from[0] == 0)
		f->same_as = 0;
}

/* Lets the operator move the numbers 0, 1, 2…  -1 if there are too many or it will not. */
static int tell_moves(struct nx_form_node *s, uint64_t *moves, struct nx_form *f)
{
	const struct nx_shape *y = &s->g->values[s->c.node->out[s->k]].shape;
	struct nx_err ignored = NX_ERR_INIT;
	int64_t n = nx_shape_count(y), n_in = s->in[0] ? nx_shape_count(x_shape(s)) : 0;
	struct nx_tensor from = { 0 }, to = { 0 };
	const struct nx_tensor *data = s->in[0];

	if (!only_moves(s) || n_in < 0 || n < 0 || (uint64_t)n_in + (uint64_t)n > *moves)
		return -1;
	*moves -= (uint64_t)n_in + (uint64_t)n;
	int rc = nx_tensor_init(&from, NX_I32, x_shape(s), &ignored);
	if (rc == 0)
		rc = nx_tensor_init(&to, NX_I32, y, &ignored);
	for (int64_t i = 0; rc == 0 && i < n_in; i++)
		((int32_t *)from.data)[i] = (int32_t)i;
	s->in[0] = &from;
	s->out[s->k] = &to;
	if (rc == 0)
		rc = nx_op_eval(s->g->opset, s->c.node, s->in, s->out, &ignored);
	s->in[0] = data;
	s->out[s->k] = NULL;
	if (rc == 0) {
		put_runs(f, to.data, n, n_in);
		f->spent = ~1u;
	}
	nx_tensor_release(&from);
	nx_tensor_release(&to);
	return rc ? -1 : 0;
}

static bool keeps_elements(const struct nx_form_node *s)
{
	const struct nx_node *n = s->c.node;

	if (s->k || *n->domain || n->n_in == 0 || !s->in[0])
		return false;
	if (strcmp(n->op, "Cast") == 0)
		return s->in[0]->dtype == s->g->values[n->out[0]].dtype;
	return s->c.op && (s->c.op->rows == NX_ROWS_RESHAPE || strcmp(n->op, "Identity") == 0 ||
				  strcmp(n->op, "Dropout") == 0);
}

/* As it is written; the opset stands for whatever it may change. */
static void tell_plainly(const struct nx_form_node *s, struct nx_form *f)
{
	const struct nx_node *n = s->c.node;

	nx_buf_clear(&f->text);
	f->spent = 0;
	f->clips = false;
	nx_buf_addf(&f->text, "%s:%s;opset=%lld;output=%zu;", n->domain, n->op,
		(long long)s->c.opset, s->k);
	for (size_t i = 0; i < n->n_attrs; i++)
		nx_form_attr(f, &n->attrs[i]);
}

void nx_form_of(const struct nx_graph *g, const struct nx_node *n, size_t k, uint64_t *moves,
	struct nx_form *form)
{
	struct nx_form_node s;

	*form = (struct nx_form){ .same_as = -1 };
	seen_init(&s, g, n, k);
	if (keeps_elements(&s))
		form->same_as = 0;
	else if (tell_moves(&s, moves, form) && tell_by_rule(&s, form))
		tell_plainly(&s, form);
	seen_release(&s);
}

void nx_form_release(struct nx_form *form)
{
	nx_buf_release(&form->text);
}
